#include "broker/storage/witness_memory.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a witness remembers each log by itself, and the newest alone") {
  fakes::TemporaryDirectory work;
  {
    auto memory = WitnessMemory::open(work.path() / "memory");
    REQUIRE(memory);
    CHECK_FALSE(*memory->newest("hub/a"));
    REQUIRE(memory->remember("hub/a", "one\n"));
    REQUIRE(memory->remember("hub/a", "two\n"));
    REQUIRE(memory->remember("hub-a", "another log\n"));
  }
  const auto again = WitnessMemory::open(work.path() / "memory");
  REQUIRE(again);
  CHECK(**again->newest("hub/a") == "two\n");
  CHECK(**again->newest("hub-a") == "another log\n");
}

TEST_CASE("two witnesses never remember in one place") {
  fakes::TemporaryDirectory work;
  const auto one = WitnessMemory::open(work.path());
  REQUIRE(one);
  const auto two = WitnessMemory::open(work.path());
  REQUIRE_FALSE(two);
  CHECK(two.error().kind == ErrorKind::unavailable);
}

TEST_CASE("the proof of two histories stays until a person has taken away both of its files") {
  fakes::TemporaryDirectory work;
  auto memory = WitnessMemory::open(work.path());
  REQUIRE(memory);
  CHECK_FALSE(*memory->fork("hub"));
  const auto kept = memory->keep_fork("hub", "remembered\n", "shown\n");
  REQUIRE(kept);
  CHECK(*memory->fork("hub") == *kept);
  CHECK_FALSE(*memory->fork("another"));
  REQUIRE(std::filesystem::remove(*kept));
  const auto other = *memory->fork("hub");
  REQUIRE(other);  // half of it is still there
  REQUIRE(std::filesystem::remove(*other));
  CHECK_FALSE(*memory->fork("hub"));
}
