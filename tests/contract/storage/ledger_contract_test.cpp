#include <catch2/catch.hpp>
#include <future>
#include <memory>

#include "broker/storage/memory_ledger.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::Ledger;
using storage::SealedEntry;

namespace {

constexpr std::uint64_t kSeed = 7;
constexpr std::size_t kAll = 100'000;
constexpr std::size_t kBytesMax = 64U << 20U;

/// A ledger that can be closed and opened again over the same storage.
struct MemorySide {
  storage::MemoryLedger memory;
  Ledger& ledger() { return memory; }
  void reopen() {
    REQUIRE(memory.close());
    memory.crash();
  }
};

struct RocksSide {
  fakes::TemporaryDirectory data;
  std::unique_ptr<storage::RocksLedger> rocks;
  RocksSide() { open(); }
  Ledger& ledger() { return *rocks; }
  void open() {
    auto opened = storage::RocksLedger::open(data.path());
    if (!opened) FAIL(opened.error().text);
    REQUIRE(opened->notices.empty());
    rocks = std::move(opened->ledger);
  }
  void reopen() {
    REQUIRE(rocks->close());
    open();
  }
};

Result<Sequence> append(Ledger& ledger, std::vector<SealedEntry> batch) {
  std::promise<Result<Sequence>> outcome;
  ledger.append(std::move(batch), [&](Result<Sequence> result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

void require_entries(const Ledger& ledger, Sequence from, Sequence to) {
  const auto entries = ledger.read(from, kAll, kBytesMax);
  if (!entries) FAIL(entries.error().text);
  REQUIRE(entries->size() == to + 1 - from);
  for (const SealedEntry& entry : *entries) {
    REQUIRE(encode(entry) == encode(fakes::sealed_entry(kSeed, from)));
    ++from;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("what was appended is read back, in order, from any sequence", "", MemorySide, RocksSide) {
  TestType side;
  REQUIRE(side.ledger().head() == 0);
  REQUIRE(side.ledger().read(1, kAll, kBytesMax)->empty());
  Sequence next = 1;
  for (const std::size_t count : {1U, 7U, 1U, 30U}) {
    const auto done = append(side.ledger(), fakes::sealed_batch(kSeed, next, count));
    next += count;
    REQUIRE(done.value() == next - 1);
  }
  REQUIRE(side.ledger().head() == 39);
  require_entries(side.ledger(), 1, 39);
  require_entries(side.ledger(), 9, 39);
  require_entries(side.ledger(), 39, 39);
  REQUIRE(side.ledger().read(40, kAll, kBytesMax)->empty());
}

TEMPLATE_TEST_CASE("a read is bounded by entries and bytes, and always moves on", "", MemorySide, RocksSide) {
  TestType side;
  REQUIRE(append(side.ledger(), fakes::sealed_batch(kSeed, 1, 20)));
  REQUIRE(side.ledger().read(5, 3, kBytesMax)->size() == 3);
  REQUIRE(side.ledger().read(5, kAll, 1)->size() == 1);
  const std::size_t two =
      encode(fakes::sealed_entry(kSeed, 5)).size() + encode(fakes::sealed_entry(kSeed, 6)).size();
  REQUIRE(side.ledger().read(5, kAll, two)->size() == 2);
  REQUIRE(side.ledger().read(5, 0, kBytesMax)->empty());
}

TEMPLATE_TEST_CASE("a ledger that is opened again goes on where it ended", "", MemorySide, RocksSide) {
  TestType side;
  for (Sequence round = 0; round < 4; ++round) {
    REQUIRE(append(side.ledger(), fakes::sealed_batch(kSeed, round * 10 + 1, 10)));
    side.reopen();
    REQUIRE(side.ledger().head() == round * 10 + 10);
  }
  require_entries(side.ledger(), 1, 40);
}

TEMPLATE_TEST_CASE("a batch that does not follow is refused whole and changes nothing", "", MemorySide,
                   RocksSide) {
  TestType side;
  REQUIRE(append(side.ledger(), fakes::sealed_batch(kSeed, 1, 3)));
  auto gap = fakes::sealed_batch(kSeed, 4, 1);
  gap.push_back(fakes::sealed_entry(kSeed, 6));
  auto unsealed = fakes::sealed_batch(kSeed, 4, 1);
  unsealed.front().leaf = {};
  for (const auto& wrong :
       {fakes::sealed_batch(kSeed, 5, 1), fakes::sealed_batch(kSeed, 3, 1), gap, unsealed, {}}) {
    const auto done = append(side.ledger(), wrong);
    REQUIRE(!done);
    REQUIRE(done.error().kind == ErrorKind::invalid);
  }
  REQUIRE(side.ledger().head() == 3);
  REQUIRE(append(side.ledger(), fakes::sealed_batch(kSeed, 4, 2)).value() == 5);
  require_entries(side.ledger(), 1, 5);
}

TEMPLATE_TEST_CASE("batches that wait complete in order, each once, before close returns", "", MemorySide,
                   RocksSide) {
  TestType side;
  std::vector<Sequence> completed;
  for (Sequence batch = 0; batch < 50; ++batch) {
    side.ledger().append(fakes::sealed_batch(kSeed, batch * 4 + 1, 4),
                         [&](Result<Sequence> done) { completed.push_back(done.value_or(0)); });
  }
  REQUIRE(side.ledger().close());
  REQUIRE(completed.size() == 50);
  for (Sequence batch = 0; batch < 50; ++batch) REQUIRE(completed[batch] == batch * 4 + 4);
  const auto late = append(side.ledger(), fakes::sealed_batch(kSeed, 201, 1));
  REQUIRE(!late);
  REQUIRE(late.error().kind == ErrorKind::unavailable);
  REQUIRE(side.ledger().read(1, 1, 1).error().kind == ErrorKind::unavailable);
}

TEMPLATE_TEST_CASE("a ledger has the tiles of the tree over its durable entries, after a restart as before",
                   "", MemorySide, RocksSide) {
  TestType side;
  storage::MerkleFrontier tree;
  std::vector<Hash> leaves;
  Sequence next = 1;
  for (const std::size_t count : {1U, 254U, 1U, 1U, 600U, 167U, 300U}) {
    const auto batch = fakes::sealed_batch(kSeed, next, count);
    for (const SealedEntry& entry : batch) {
      tree.append(entry.leaf);
      leaves.push_back(entry.leaf);
    }
    REQUIRE(append(side.ledger(), batch));
    next += count;
    if (count == 167) side.reopen();
    const std::uint64_t full = leaves.size() / storage::kTileWidth;
    for (std::uint64_t index = 0; index <= full; ++index) {
      const std::size_t width = index < full ? storage::kTileWidth : leaves.size() % storage::kTileWidth;
      if (width == 0) continue;
      const auto tile = side.ledger().tile({0, index}, width);
      if (!tile) FAIL(tile.error().text);
      const auto from = leaves.begin() + static_cast<std::ptrdiff_t>(index * storage::kTileWidth);
      CHECK(*tile == storage::Tile(from, from + static_cast<std::ptrdiff_t>(width)));
      // A partial tile of a smaller tree is a part of it.
      CHECK(side.ledger().tile({0, index}, 1) == storage::Tile(from, from + 1));
      if (index == full)
        CHECK(side.ledger().tile({0, index}, width + 1).error().kind == ErrorKind::not_found);
    }
    CHECK(side.ledger().tile({0, full + 1}, 1).error().kind == ErrorKind::not_found);
    if (full == 0) continue;
    const auto upper = side.ledger().tile({1, 0}, full);
    REQUIRE(upper);
    for (std::uint64_t index = 0; index < full; ++index) {
      CHECK(upper->at(index) == storage::perfect_root(*side.ledger().tile({0, index}, storage::kTileWidth)));
    }
    CHECK(!side.ledger().tile({1, 0}, full + 1));
  }
  CHECK(!side.ledger().tile({2, 0}, 1));
  CHECK(!side.ledger().tile({200, 0}, 1));
  REQUIRE(side.ledger().close());
  CHECK(side.ledger().tile({0, 0}, 1).error().kind == ErrorKind::unavailable);
}
