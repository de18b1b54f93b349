#include "broker/server/scrub.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/storage/memory_ledger.hpp"
#include "broker/storage/vault_format.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using server::Scrubbing;

namespace {

/// As fast as it goes.
constexpr Scrubbing::Pace kFast{std::chrono::duration<double>(0.0), 1e9};
/// One step, and then a long rest.
constexpr Scrubbing::Pace kSlow{std::chrono::hours(24 * 365), 5'000};

void fill(storage::MemoryLedger& ledger, std::size_t entries) {
  ledger.append(fakes::sealed_batch(61, 1, entries), [](const Result<Sequence>& done) { REQUIRE(done); });
}

template <class Condition>
bool eventually(Condition condition) {
  for (int each = 0; each < 12'000; ++each) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("the ledger is verified behind everything else, pass after pass") {
  const fakes::TemporaryDirectory work;
  storage::MemoryLedger ledger;
  fill(ledger, 600);
  Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast);
  CHECK(eventually([&] { return scrubbing.far().passes >= 2; }));
  CHECK(scrubbing.far().first_bad == 0);
}

TEST_CASE("a bad entry is known until a pass has found none, and the scrub goes on") {
  const fakes::TemporaryDirectory work;
  storage::MemoryLedger ledger;
  fill(ledger, 600);
  ledger.damage(300, 90, 1);
  {
    Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast);
    CHECK(eventually([&] { return scrubbing.far().passes >= 2; }));
    CHECK(scrubbing.far().first_bad == 300);
  }
  ledger.damage(300, 90, 1);  // as it was
  Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast);
  CHECK(scrubbing.far().first_bad == 300);
  CHECK(eventually([&] { return scrubbing.far().first_bad == 0; }));
}

TEST_CASE("a scrub that was ended goes on where it was, also when its place is lost") {
  const fakes::TemporaryDirectory work;
  const auto file = work.path() / server::kScrubFile;
  storage::MemoryLedger ledger;
  fill(ledger, 2'000);
  for (const Sequence next : {257U, 513U, 769U}) {
    Scrubbing scrubbing(ledger, file, kSlow);
    CHECK(eventually([&] { return scrubbing.far().next == next; }));
    CHECK(scrubbing.far().passes == 0);
  }
  std::ofstream(file) << "no number";
  Scrubbing scrubbing(ledger, file, kSlow);
  CHECK(eventually([&] { return scrubbing.far().next == 257; }));
  scrubbing.stop();
  scrubbing.stop();
}

TEST_CASE("a ledger that cannot be read for now is told of, and the scrub waits for it") {
  const fakes::TemporaryDirectory work;
  storage::MemoryLedger ledger;
  fill(ledger, 10);
  Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast);
  CHECK(eventually([&] { return scrubbing.far().passes >= 1; }));
  REQUIRE(ledger.close());
  CHECK(eventually([&] { return scrubbing.far().unread; }));
  scrubbing.stop();
  CHECK(scrubbing.far().first_bad == 0);
}

TEST_CASE("a bit that flips in the vault of a running hub is found at the end of a pass") {
  const fakes::TemporaryDirectory work;
  SystemRandom random;
  const auto file = work.path() / "vault";
  auto opened = storage::open_vault(file, {}, random);
  REQUIRE(opened);
  const KeyId key = opened->vault->mint().value();
  storage::MemoryLedger ledger;
  fill(ledger, 300);
  const auto flip = [&] {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(storage::vault_record_at(3)) + 20;
    bytes.seekg(at);
    const auto was = static_cast<unsigned char>(bytes.get());
    bytes.seekp(at);
    bytes.put(static_cast<char>(was ^ 4U));
  };
  Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast, opened->verify);
  CHECK(eventually([&] { return scrubbing.far().passes >= 2; }));
  CHECK_FALSE(scrubbing.far().vault_bad);
  flip();
  CHECK(eventually([&] { return scrubbing.far().vault_bad; }));
  const auto damaged = opened->verify({});
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().kind == ErrorKind::corrupt);
  CHECK(damaged.error().text.find("record 4") != std::string::npos);
  CHECK(scrubbing.far().first_bad == 0);
  // Whoever restores a vault now loses the keys that were minted since.
  CHECK(damaged.error().text.find("Restore") == std::string::npos);
  // A rewriting makes the file out of what is in memory.
  REQUIRE(opened->vault->destroy({key}));
  CHECK(eventually([&] { return !scrubbing.far().vault_bad; }));
  scrubbing.stop();
}

TEST_CASE("a pass ends though entries keep coming") {
  const fakes::TemporaryDirectory work;
  storage::MemoryLedger ledger;
  fill(ledger, 600);
  Scrubbing scrubbing(ledger, work.path() / server::kScrubFile, kFast);
  Sequence next = 601;
  CHECK(eventually([&] {
    for (int each = 0; each < 100; ++each, next += 1)
      ledger.append(fakes::sealed_batch(61, next, 1), [](const Result<Sequence>&) {});
    return scrubbing.far().passes >= 2;
  }));
}
