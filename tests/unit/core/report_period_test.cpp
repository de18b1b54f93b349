#include "broker/core/report_period.hpp"

#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("a quarter begins and ends with UTC's months, and one ends where the next begins") {
  const core::Quarter first{2026, 1};
  CHECK(to_rfc3339(first.from()) == "2026-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(first.until()) == "2026-04-01T00:00:00.000Z");
  const core::Quarter last{2024, 4};
  CHECK(to_rfc3339(last.until()) == "2025-01-01T00:00:00.000Z");
  for (std::int64_t year = 1970; year < 2100; ++year) {
    for (std::int64_t number = 1; number <= 4; ++number) {
      const core::Quarter quarter{year, number};
      CHECK(core::quarter_of(quarter.from()) == quarter);
      CHECK(core::quarter_of({quarter.until().us - 1}) == quarter);
      CHECK_FALSE(core::quarter_of(quarter.until()) == quarter);
    }
  }
}

TEST_CASE("a quarter is read by its name, and nothing else is one") {
  const auto quarter = core::parse_quarter("2026-Q3");
  REQUIRE(quarter);
  CHECK(quarter->name() == "2026-Q3");
  for (const auto* wrong :
       {"", "2026", "2026-Q0", "2026-Q5", "2026-q1", "20x6-Q1", "1969-Q4", "2026-Q11", "-026-Q1"})
    CHECK_FALSE(core::parse_quarter(wrong));
}
