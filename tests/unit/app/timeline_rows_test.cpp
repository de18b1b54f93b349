#include "broker/app/timeline_rows.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("a timeline's row says as JSON only what it has, and as CSV fills every column") {
  wire::RowT row;
  row.sequence = 7;
  row.kind = "offered";
  row.subscription = "=desk";
  const auto json = app::timeline_json(row);
  CHECK(json == R"({"sequence":7,"kind":"offered","subscription":"=desk"})");
  row.state = "record 2, decided in 17";
  CHECK(app::timeline_json(row).find(R"("record":2,"decided_in":17)") != std::string::npos);
  const auto header = app::timeline_csv_header();
  const auto line = app::timeline_csv(row);
  CHECK(std::ranges::count(header, ',') == std::ranges::count(line, ','));
  CHECK(line.find("'=desk") != std::string::npos);
  CHECK(app::type_text(event::EventType::unknown).empty());
  CHECK(app::time_text(0).empty());
}
