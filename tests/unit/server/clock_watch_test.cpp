#include "broker/server/clock_watch.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "tests/unit/server/played_loop.hpp"

using namespace carehub;
using carehub::test::kHospital;
using carehub::test::Played;
using server::ClockWatch;

namespace {

constexpr Timestamp kNoon{1'772'366'400'000'000};
constexpr Timestamp after(std::int64_t seconds) { return {kNoon.us + seconds * kSecondUs}; }

std::optional<core::Alarm> look(ClockWatch& watch, Timestamp wall, Timestamp own, Sequence head) {
  core::Decision out;
  watch.look(wall, own, head, out);
  REQUIRE(out.alarms.size() <= 1);
  return out.alarms.empty() ? std::nullopt : std::optional(out.alarms.front());
}

}  // namespace

TEST_CASE("a clock that is a little off is nothing to tell, one that is far off is told once, either way") {
  ClockWatch watch;
  CHECK_FALSE(look(watch, kNoon, after(300), 10));
  CHECK_FALSE(look(watch, kNoon, after(-300), 10));
  const auto ahead = look(watch, kNoon, after(3'600), 10);
  REQUIRE(ahead);
  CHECK(ahead->code == "clock_differs");
  CHECK(ahead->text.find("from entry 11 on") != std::string::npos);
  CHECK(ahead->text.find("60 minutes ahead of") != std::string::npos);
  CHECK_FALSE(look(watch, kNoon, after(3'500), 12));
  CHECK_FALSE(look(watch, kNoon, after(200), 12));
  const auto over = look(watch, kNoon, after(59), 14);
  REQUIRE(over);
  CHECK(over->code == "clock_agrees");
  CHECK(over->text.find("from entry 15 on") != std::string::npos);
  CHECK_FALSE(look(watch, kNoon, after(0), 14));
  const auto behind = look(watch, kNoon, after(-3 * 86'400), 20);
  REQUIRE(behind);
  CHECK(behind->text.find("3 days behind") != std::string::npos);
}

TEST_CASE("a newest entry that lies in the future is told of until the clock has come to it") {
  ClockWatch watch(after(7'200));
  const auto told = look(watch, kNoon, kNoon, 9);
  REQUIRE(told);
  CHECK(told->code == "clock_differs");
  CHECK(told->text.find("2 hours ahead of") != std::string::npos);
  CHECK(told->text.find("an older entry has that time") != std::string::npos);
  CHECK_FALSE(look(watch, after(3'600), after(3'600), 9));
  const auto over = look(watch, after(7'190), after(7'190), 9);
  REQUIRE(over);
  CHECK(over->code == "clock_agrees");
}

TEST_CASE("a clock that is set while the hub runs is told of, and when the two agree again") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  const auto before = hub.loop->statistics().alarms;
  hub.clock.set({hub.clock.now().us + 3'600 * kSecondUs});
  hub.steps(2);
  CHECK(hub.loop->statistics().alarms == before + 1);
  hub.clock.set({hub.clock.now().us - 3'600 * kSecondUs});
  hub.steps(2);
  CHECK(hub.loop->statistics().alarms == before + 2);
}

TEST_CASE("a hub that starts with its newest entry in the future says so, and keeps the order of time") {
  Played hub;
  hub.clock.advance_ms(86'400'000);
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  CHECK(hub.loop->statistics().alarms == 0);
  hub.clock.set({hub.clock.now().us - 86'400 * kSecondUs});
  hub.restart();
  CHECK(hub.loop->statistics().alarms == 1);
  hub.clock.set({hub.clock.now().us + 86'400 * kSecondUs});
  hub.restart();
  CHECK(hub.loop->statistics().alarms == 0);
}
