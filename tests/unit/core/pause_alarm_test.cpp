#include "broker/core/pause_alarm.hpp"

#include <catch2/catch.hpp>

using namespace carehub;

namespace {

constexpr Timestamp kSince{1'000 * kSecondUs};

Timestamp after_hours(std::int64_t hours) { return {kSince.us + hours * 3'600 * kSecondUs}; }

}  // namespace

TEST_CASE("a pause is told after four hours and then once each day") {
  core::PauseAlarm alarm;
  core::Decision out;
  CHECK(alarm.due(kSince) == after_hours(4));
  alarm.look("desk", kSince, after_hours(3), out);
  CHECK(out.alarms.empty());
  alarm.look("desk", kSince, after_hours(4), out);
  alarm.look("desk", kSince, after_hours(5), out);
  REQUIRE(out.alarms.size() == 1);
  CHECK(out.alarms.front().code == "subscription_paused");
  CHECK(alarm.due(kSince) == after_hours(24));
  alarm.look("desk", kSince, after_hours(24), out);
  CHECK(out.alarms.size() == 2);
  CHECK(alarm.due(kSince) == after_hours(48));
  alarm.look("desk", kSince, after_hours(100), out);
  CHECK(out.alarms.size() == 3);
  CHECK(alarm.due(kSince) == after_hours(120));
}

TEST_CASE("a new pause is told anew") {
  core::PauseAlarm alarm;
  core::Decision out;
  alarm.look("desk", kSince, after_hours(30), out);
  alarm.resumed();
  alarm.look("desk", after_hours(31), after_hours(36), out);
  CHECK(out.alarms.size() == 2);
}
