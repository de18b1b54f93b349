#include "broker/care/report_tally.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;

TEST_CASE("what others call things is bounded, and the rest is one figure") {
  care::ReportTally tally;
  for (std::size_t name = 0; name < care::ReportTally::kNamesMax + 5; ++name)
    tally.add("refusals", "code" + std::to_string(name), "a hospital", 2);
  tally.add("refusals", "code1", "a hospital");
  tally.add("events", "admission", "a hospital");
  CHECK(tally.of("refusals", "code1", "a hospital") == 3);
  CHECK(tally.of("refusals", "(others)", "") == 10);
  CHECK(tally.of("events", "admission", "a hospital") == 1);
  CHECK(tally.figures().size() == care::ReportTally::kNamesMax + 2);
}

TEST_CASE("a percentile is never below the exact one and at most a sixteenth above, in any order") {
  fakes::SeededRandom random(11);
  std::vector<std::uint64_t> values;
  for (int value = 0; value < 2'000; ++value)
    values.push_back(random.below(std::uint64_t{1} << (value % 40)));
  care::Spread spread, other;
  for (const auto value : values) spread.add(value);
  std::ranges::sort(values);
  for (const auto value : values) other.add(value);
  for (const std::uint64_t percent : {1U, 50U, 90U, 95U, 100U}) {
    const auto exact = values[(values.size() * percent + 99) / 100 - 1];
    CHECK(spread.at_percent(percent) >= exact);
    CHECK(spread.at_percent(percent) <= exact + exact / 16);
    CHECK(spread.at_percent(percent) == other.at_percent(percent));
  }
  CHECK(spread.longest() == values.back());
  CHECK(spread.count() == values.size());
}

TEST_CASE("a spread of nothing is nothing, and small numbers are exact") {
  care::Spread spread;
  CHECK(spread.at_percent(50) == 0);
  for (std::uint64_t value = 1; value <= 10; ++value) spread.add(value);
  CHECK(spread.at_percent(50) == 5);
  CHECK(spread.at_percent(90) == 9);
  CHECK(spread.at_percent(95) == 10);
}
