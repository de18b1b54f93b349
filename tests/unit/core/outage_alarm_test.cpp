#include "broker/core/outage_alarm.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::core;

TEST_CASE("an outage is told at once, after five minutes, an hour and a day, and the next one anew") {
  OutageAlarm alarm;
  Decision out;
  const Timestamp since{1'772'355'600'000'000};
  const auto look = [&](std::int64_t after_seconds) {
    alarm.look("desk", since, {since.us + after_seconds * kSecondUs}, out);
    return out.alarms.size();
  };
  alarm.look("desk", std::nullopt, since, out);
  CHECK(out.alarms.empty());
  CHECK(look(0) == 1);
  CHECK(look(299) == 1);
  CHECK(look(300) == 2);
  CHECK(look(3'600) == 3);
  CHECK(look(86'400) == 4);
  CHECK(look(200'000) == 4);
  alarm.over();
  CHECK(look(0) == 5);
}
