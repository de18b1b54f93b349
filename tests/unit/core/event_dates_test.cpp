#include "broker/core/event_dates.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"

using namespace carehub;
using namespace carehub::core;
using namespace std::chrono;

namespace {

event::Time time_of(std::string_view text) {
  const auto time = parse_time(text);
  REQUIRE(time);
  return *time;
}

}  // namespace

TEST_CASE("a time's day is that of the place where it was written") {
  CHECK(local_day(time_of("2026-06-30T00:30+01:00")) == 2026y / June / 30);
  CHECK(local_day(time_of("2026-06-29T23:30+00:00")) == 2026y / June / 29);
}

TEST_CASE("a date cut to its month or year means all of its days") {
  const auto month_long = days_of(event::Date(2024, 2, 0));
  REQUIRE(month_long);
  CHECK(month_long->first == 2024y / February / 1);
  CHECK(month_long->last == 2024y / February / 29);
  const auto year_long = days_of(event::Date(2024, 0, 0));
  REQUIRE(year_long);
  CHECK(year_long->last == 2024y / December / 31);
}

TEST_CASE("a date that no calendar has is none") {
  CHECK_FALSE(days_of(event::Date(2026, 2, 29)));
  CHECK_FALSE(days_of(event::Date(2026, 13, 1)));
  CHECK_FALSE(days_of(event::Date(2026, 0, 7)));
  CHECK_FALSE(days_of(event::Date(1899, 1, 1)));
  CHECK_FALSE(days_of(event::Date(2201, 1, 1)));
}

TEST_CASE("a time's moments end with the period that its precision names") {
  const auto minute_long = moments_of(time_of("2026-03-01T09:30+00:00"));
  REQUIRE(minute_long);
  CHECK(minute_long->last_us - minute_long->first_us == 59'999'999);
  const auto month_long = moments_of(time_of("2026-02"));
  REQUIRE(month_long);
  CHECK(month_long->last_us - month_long->first_us == 28 * 86'400'000'000 - 1);
}

TEST_CASE("a time beyond the years that may be is none, however far") {
  using event::TimePrecision;
  CHECK_FALSE(local_day(event::Time(std::numeric_limits<std::int64_t>::max(), 0, TimePrecision::second)));
  CHECK_FALSE(moments_of(event::Time(std::numeric_limits<std::int64_t>::min(), 0, TimePrecision::second)));
  CHECK_FALSE(moments_of(event::Time(0, 1440, TimePrecision::second)));
}
