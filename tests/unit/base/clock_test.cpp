#include "broker/base/clock.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace carehub;

TEST_CASE("a timestamp is shown in UTC to the millisecond") {
  CHECK(to_rfc3339({0}) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339({1'772'357'400'123'999}) == "2026-03-01T09:30:00.123Z");
  CHECK(to_rfc3339({-1}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("a time outside the years 0 to 9999 is shown as one, whatever the number") {
  constexpr std::int64_t kYear0 = -62'167'219'200'000'000;
  constexpr std::int64_t kYear10000 = 253'402'300'800'000'000;
  CHECK(to_rfc3339({kYear0}) == "0000-01-01T00:00:00.000Z");
  CHECK(to_rfc3339({kYear10000 - 1}) == "9999-12-31T23:59:59.999Z");
  // The last but two is in a year that sixteen bits do not hold.
  for (const auto us : {kYear0 - 1, kYear10000, std::int64_t{971'904'096'000'000'000},
                        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
    CHECK(to_rfc3339({us}) == "(out of range)");
}

TEST_CASE("the system's clock is after the year 2020") {
  CHECK(SystemClock().now() > Timestamp{1'577'836'800 * kSecondUs});
}
