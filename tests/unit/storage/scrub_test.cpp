#include "broker/storage/scrub.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "broker/storage/memory_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using storage::Scrub;
using storage::Tile;
using storage::TileId;

namespace {

constexpr std::uint64_t kSeed = 57;

/// A ledger whose tiles may be other ones than they were.
class ChangedTiles final : public storage::Ledger {
 public:
  explicit ChangedTiles(storage::MemoryLedger& ledger) : ledger_(ledger) {}

  void append(std::vector<storage::SealedEntry> batch, Done done) override {
    ledger_.append(std::move(batch), std::move(done));
  }
  Result<std::vector<storage::SealedEntry>> read(Sequence from, std::size_t entries_max,
                                                 std::size_t bytes_max) const override {
    return ledger_.read(from, entries_max, bytes_max);
  }
  Sequence head() const override { return ledger_.head(); }
  Result<Tile> tile(TileId id, std::size_t width) const override {
    auto tile = ledger_.tile(id, width);
    if (tile && id == changed && column < tile->size()) (*tile)[column][0] ^= 1U;
    return tile;
  }
  Result<std::string> checkpoint() const override { return ledger_.checkpoint(); }
  Result<void> close() override { return ledger_.close(); }

  std::optional<TileId> changed;
  std::size_t column = 0;

 private:
  storage::MemoryLedger& ledger_;
};

struct Scrubbed {
  storage::MemoryLedger memory;
  ChangedTiles ledger{memory};
  SystemRandom random;

  explicit Scrubbed(std::size_t entries) {
    memory.sign_with(*storage::CheckpointSigner::make("carehub/n", random));
    constexpr std::size_t kBatch = 1'000;
    for (std::size_t first = 1; first <= entries; first += kBatch) {
      memory.append(fakes::sealed_batch(kSeed, first, std::min(kBatch, entries + 1 - first)),
                    [](const Result<Sequence>& done) { REQUIRE(done); });
    }
  }

  struct Pass {
    std::uint64_t faults = 0;
    std::uint64_t steps = 0;
    Sequence first_bad = 0;
    std::string first_fault;
  };
  Pass pass(Scrub& scrub) const {
    Pass pass;
    for (bool ended = false; !ended; ++pass.steps) {
      const auto step = scrub.step();
      REQUIRE(step);
      if (pass.faults == 0) {
        pass.first_bad = step->first_bad;
        pass.first_fault = step->first_fault;
      }
      pass.faults += step->faults;
      ended = step->ended;
    }
    return pass;
  }
  Pass pass() const {
    Scrub scrub(ledger);
    return pass(scrub);
  }
};

}  // namespace

TEST_CASE("a whole ledger is verified a tile at a time, again and again") {
  for (const std::size_t entries : {0U, 1U, 256U, 257U, 1'000U}) {
    const Scrubbed one(entries);
    Scrub scrub(one.ledger);
    for (int each = 0; each < 2; ++each) {
      const auto pass = one.pass(scrub);
      INFO(pass.first_fault);
      CHECK(pass.faults == 0);
      CHECK(pass.steps == (entries + 255) / 256 + 1);
    }
  }
}

TEST_CASE("an entry that has changed is told by its number, and those behind it are verified") {
  Scrubbed one(1'000);
  one.memory.damage(300, 90, 1);
  const auto pass = one.pass();
  CHECK(pass.faults == 1);
  CHECK(pass.first_bad == 300);
  one.memory.damage(301, 90, 1);
  one.memory.damage(999, 90, 1);
  const auto worse = one.pass();
  CHECK(worse.faults == 3);
  CHECK(worse.first_bad == 300);
  CHECK_FALSE(worse.first_fault.empty());
}

TEST_CASE("a tile that has changed is found by the entries below it, or by the tile below it") {
  Scrubbed one(70'000);
  one.ledger.changed = TileId{0, 3};
  one.ledger.column = 17;
  auto pass = one.pass();
  CHECK(pass.first_bad == 3 * 256 + 18);
  CHECK_THAT(pass.first_fault, Catch::Contains("tile"));
  one.ledger.changed = TileId{1, 0};
  one.ledger.column = 5;
  pass = one.pass();
  CHECK(pass.first_bad == 5 * 256 + 1);
  CHECK_THAT(pass.first_fault, Catch::Contains("tile/1/000"));
  one.ledger.changed = TileId{2, 0};
  one.ledger.column = 0;
  pass = one.pass();
  CHECK(pass.faults >= 1);
  CHECK_THAT(pass.first_fault, Catch::Contains("tile/2/000"));
}

TEST_CASE("a scrub goes on at the tile at which it was, and ends with its ledger") {
  Scrubbed one(1'000);
  Scrub scrub(one.ledger);
  REQUIRE(scrub.step());
  REQUIRE(scrub.step());
  CHECK(scrub.next() == 513);
  Scrub later(one.ledger, scrub.next());
  CHECK(one.pass(later).steps == 3);
  CHECK(later.next() == 1);
  // A place behind the end, as after a restore, begins anew.
  Scrub beyond(one.ledger, 5'000);
  CHECK(one.pass(beyond).steps == 5);
  REQUIRE(one.memory.close());
  CHECK_FALSE(later.step());
}
