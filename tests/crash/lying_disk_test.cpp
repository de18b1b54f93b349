#include <catch2/catch.hpp>

#include "broker/storage/rocks_ledger.hpp"
#include "tests/crash/disk.hpp"
#include "tests/crash/promises.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using crash::Disk;
using crash::Fault;
using crash::Promises;

namespace {

/// Batch after batch, each with a sync of its own, on a disk that lies about one of them and then loses
/// power. The first sequence that it lied about.
Sequence lied_to(std::uint64_t seed, Fault::Kind kind, const std::filesystem::path& survivors) {
  constexpr std::size_t kBatches = 12;
  fakes::SeededRandom random(seed);
  const fakes::TemporaryDirectory place;
  Promises promises(seed);
  Disk disk(place.path());
  REQUIRE(promises.live(place.path(), {.batches = random.below(5), .appends_waiting_max = 1}));
  const Sequence before = promises.receipted();
  // A new ledger's log begins again once its tree's column family is there; a later one begins with a mark.
  constexpr std::uint64_t syncs_of_opening = 1;
  const std::uint64_t batch = random.below(kBatches);
  disk.plan({.kind = kind, .at = syncs_of_opening + batch + 1, .only_in = "*/ledger/*.log"});
  REQUIRE(promises.live(place.path(), {.batches = kBatches, .appends_waiting_max = 1}));
  REQUIRE(disk.operations() == syncs_of_opening + kBatches);
  disk.cut();
  disk.survivors(random, survivors);
  auto end = promises.batch_ends().find(before);
  std::advance(end, batch);
  return *end + 1;
}

}  // namespace

TEST_CASE("a hub whose disk lied about a sync refuses to start and names the first entry that is missing") {
  const auto kind = GENERATE(Fault::Kind::lying_sync, Fault::Kind::lying_syncs);
  for (const std::uint64_t seed : crash::seeds(20)) {
    const fakes::TemporaryDirectory place;
    const Sequence missing = lied_to(seed, kind, place.path());
    CAPTURE(seed, missing);
    for (int attempt = 0; attempt < 2; ++attempt) {  // the first changes nothing
      const auto opened = storage::RocksLedger::open(place.path());
      REQUIRE(!opened);
      CAPTURE(opened.error().text);
      CHECK(opened.error().kind == ErrorKind::corrupt);
      CHECK(opened.error().text.find("ledger entry " + std::to_string(missing) + " is missing") !=
            std::string::npos);
    }
  }
}

TEST_CASE("whatever a disk lied about once, nothing that had a receipt is missing without a word") {
  int refused = 0;
  for (const std::uint64_t seed : crash::seeds(60)) {
    fakes::SeededRandom random(seed);
    const fakes::TemporaryDirectory place;
    const fakes::TemporaryDirectory next_place;
    Promises promises(seed);
    Disk disk(place.path());
    disk.plan({.kind = Fault::Kind::lying_sync, .at = 1 + random.below(70)});
    for (int life = 0; life < 2; ++life) REQUIRE(promises.live(place.path(), {.batches = 10}));
    disk.cut();
    disk.survivors(random, next_place.path());
    CAPTURE(seed, disk.what());
    const auto opened = storage::RocksLedger::open(next_place.path());
    if (opened) {
      promises.require_nothing_hidden(*opened->ledger);
    } else {
      ++refused;
      CAPTURE(opened.error().text);
      CHECK(opened.error().kind == ErrorKind::corrupt);
    }
  }
  CHECK(refused > 0);
}
