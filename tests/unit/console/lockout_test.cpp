#include "adapters/console/lockout.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/hand_clock.hpp"

using namespace carehub;
using adapters::Lockout;

TEST_CASE("after five wrong attempts one waits, twice as long each time, and no longer than 15 minutes") {
  fakes::HandClock clock({0});
  Lockout lockout(clock);
  for (int i = 0; i < 4; ++i) {
    lockout.begin("jo");
    CHECK(lockout.wait_s("jo") == 0);
  }
  for (const std::int64_t wait_s : {30, 60, 120, 240, 480, 900, 900, 900}) {
    lockout.begin("jo");
    CHECK(lockout.wait_s("jo") == wait_s);
    CHECK(lockout.wait_s("kim") == 0);
    clock.advance_ms(wait_s * 1000 - 1);
    CHECK(lockout.wait_s("jo") == 1);
    clock.advance_ms(1);
    CHECK(lockout.wait_s("jo") == 0);
  }
}

TEST_CASE("an hour without a wrong attempt is a new start, and setting the clock is none") {
  fakes::HandClock clock({0});
  Lockout lockout(clock);
  for (int i = 0; i < 5; ++i) lockout.begin("jo");
  clock.set({7'200 * kSecondUs});
  CHECK(lockout.wait_s("jo") == 30);
  clock.advance_ms(3'600'000);
  lockout.begin("jo");
  CHECK(lockout.wait_s("jo") == 0);
}

TEST_CASE("an attempt that was right does not count, and one of several takes back its own alone") {
  fakes::HandClock clock({0});
  Lockout lockout(clock);
  for (int i = 0; i < 5; ++i) lockout.begin("10.0.0.1");
  lockout.take_back("10.0.0.1");
  CHECK(lockout.wait_s("10.0.0.1") == 0);
  lockout.begin("10.0.0.1");
  CHECK(lockout.wait_s("10.0.0.1") == 30);
  lockout.forget("10.0.0.1");
  lockout.begin("10.0.0.1");
  CHECK(lockout.wait_s("10.0.0.1") == 0);
}

TEST_CASE("what is remembered of wrong attempts is bounded, and the oldest goes first") {
  fakes::HandClock clock({kSecondUs});
  Lockout lockout(clock);
  for (int i = 0; i < 5; ++i) lockout.begin("first");
  for (std::size_t i = 1; i < Lockout::kEntriesMax; ++i) {
    clock.advance_ms(1);
    lockout.begin(std::to_string(i));
  }
  CHECK(lockout.size() == Lockout::kEntriesMax);
  CHECK(lockout.wait_s("first") > 0);
  lockout.begin("one more");
  CHECK(lockout.size() == Lockout::kEntriesMax);
  CHECK(lockout.wait_s("first") == 0);
}
