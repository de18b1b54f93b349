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

/// One hub's storage through many power cuts, in a directory of the disk or below one.
void play(std::uint64_t seed, std::size_t lives, std::uint64_t operations_max, const Life& usual,
          const std::string& below = "") {
  fakes::SeededRandom random(seed);
  Promises promises(seed);
  auto place = std::make_unique<fakes::TemporaryDirectory>();
  for (std::size_t at = 0; at < lives; ++at) {
    auto next_place = std::make_unique<fakes::TemporaryDirectory>();
    {
      Disk disk(place->path());
      disk.plan({.kind = Fault::Kind::power_cut, .at = 1 + random.below(operations_max)});
      Life life = usual;
      life.closes = random.below(2) == 0;
      const auto lived = promises.live(place->path() / below, life);
      CAPTURE(seed, at, disk.what());
      if (!lived && !disk.happened()) FAIL(lived.error().text);
      disk.cut();
      disk.survivors(random, next_place->path());
    }
    place = std::move(next_place);
  }
  const auto lived = promises.live(place->path() / below, usual);
  CAPTURE(seed);
  if (!lived) FAIL(lived.error().text);
}

}  // namespace

TEST_CASE("every receipt survives the power going off at any moment, again and again") {
  for (const std::uint64_t seed : crash::seeds(30)) play(seed, 6, 160, {.batches = 30});
}

TEST_CASE("the first receipts survive the power going off, in a directory that was made for them") {
  for (const std::uint64_t seed : crash::seeds(20)) play(seed, 2, 160, {.batches = 10}, "srv/data");
}

TEST_CASE("every receipt survives the power going off while tables are written") {
  // Enough for memory to be flushed into tables while appends go on.
  const Life large{.batches = 60, .entry_bytes_max = 400'000, .appends_waiting_max = 8};
  for (const std::uint64_t seed : crash::seeds(8)) play(seed, 3, 600, large);
}
