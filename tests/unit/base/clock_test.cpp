#include "broker/base/clock.hpp"

#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("a timestamp is shown in UTC to the millisecond") {
  CHECK(to_rfc3339({0}) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339({1'772'357'400'123'999}) == "2026-03-01T09:30:00.123Z");
  CHECK(to_rfc3339({-1}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("the system's clock is after the year 2020") {
  CHECK(SystemClock().now() > Timestamp{1'577'836'800 * kSecondUs});
}
