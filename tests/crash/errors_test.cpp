#include <catch2/catch.hpp>

#include "tests/crash/disk.hpp"
#include "tests/crash/promises.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using crash::Disk;
using crash::Fault;
using crash::Life;
using crash::Promises;

namespace {

void require_survival(Disk& disk, Promises& promises, std::uint64_t seed, const Life& life) {
  const fakes::TemporaryDirectory place;
  fakes::SeededRandom random(seed);
  disk.cut();
  disk.survivors(random, place.path());
  const auto lived = promises.live(place.path(), life);
  if (!lived) FAIL(lived.error().text);
}

/// Two lives with the fault, a restart without it, then the power goes. False when they were over before it.
bool play(std::uint64_t seed, const Fault& fault) {
  const Life life{.batches = 4, .appends_waiting_max = 2};
  const fakes::TemporaryDirectory place;
  Promises promises(seed);
  Disk disk(place.path());
  disk.plan(fault);
  Result<void> lived = promises.live(place.path(), life);
  if (lived) lived = promises.live(place.path(), life);
  const bool happened = disk.happened();
  const bool reached = disk.operations() >= fault.at;
  const std::string what = disk.what();
  CAPTURE(seed, fault.at, what);
  if (!lived) {
    CAPTURE(lived.error().text);
    REQUIRE(happened);
    CHECK(lived.error().kind == ErrorKind::unavailable);
    CHECK(lived.error().text.find('\n') == std::string::npos);
  }
  disk.plan({});
  lived = promises.live(place.path(), life);
  if (!lived) FAIL(lived.error().text);
  require_survival(disk, promises, seed, life);
  return reached;
}

void fail_at_each(Fault fault) {
  for (const std::uint64_t seed : crash::seeds(1)) {
    fault.at = 1;
    while (play(seed, fault)) ++fault.at;
    CHECK(fault.at > 50);
  }
}

}  // namespace

TEST_CASE("an error of the disk at each of its operations costs no receipt and shows nothing half-written") {
  fail_at_each({.kind = Fault::Kind::error, .error = EIO});
}

TEST_CASE("a disk that fails for good at each of its operations costs no receipt") {
  fail_at_each({.kind = Fault::Kind::errors, .error = EIO});
}

TEST_CASE("a disk that is full at each of its operations costs no receipt, once there is room again") {
  fail_at_each({.kind = Fault::Kind::errors, .error = ENOSPC});
}

TEST_CASE("a disk that is full for a moment at each of its operations costs no receipt") {
  fail_at_each({.kind = Fault::Kind::error, .error = ENOSPC});
}
