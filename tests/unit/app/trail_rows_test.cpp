#include "broker/app/trail_rows.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("a trail's row says who did what and why, as JSON and as CSV") {
  wire::RowT row;
  row.sequence = 9;
  row.kind = "access";
  row.state = "timeline";
  row.by = "a reader";
  row.reason = "=sum";
  const auto json = app::trail_json(row);
  CHECK(json.find(R"("act":"timeline","by":"a reader","reason":"=sum")") != std::string::npos);
  CHECK(std::ranges::count(app::trail_csv_header(), ',') == std::ranges::count(app::trail_csv(row), ','));
  CHECK(app::trail_csv(row).find("'=sum") != std::string::npos);
}
