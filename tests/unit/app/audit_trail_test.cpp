#include "broker/app/audit_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

TEST_CASE("the trail names who asked and why, itself included, and a reason is no formula") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  app::TrailOptions options;
  options.config = county.config();
  options.by = "an auditor";
  options.reason = "=review(3)";
  Told lines;
  CHECK(app::audit_trail(options, lines.surroundings) == ExitCode::ok);
  CHECK(lines.said("  trail"));
  CHECK(lines.said("=review(3)"));
  options.rows.csv = true;
  Told csv;
  CHECK(app::audit_trail(options, csv.surroundings) == ExitCode::ok);
  CHECK(csv.said("\"'=review(3)\""));
  options.rows = {true, false};
  Told json;
  CHECK(app::audit_trail(options, json.surroundings) == ExitCode::ok);
  CHECK(json.said(R"("act":"trail")"));
  options.until = "2001-01-01";
  Told none;
  CHECK(app::audit_trail(options, none.surroundings) == ExitCode::ok);
  CHECK(none.out.str().empty());
}

TEST_CASE("a trail's times are read before any hub is asked") {
  const SmallCounty county;
  app::TrailOptions options;
  options.config = county.config();
  options.by = "an auditor";
  options.reason = "a test";
  options.since = "last week";
  Told told;
  CHECK(app::audit_trail(options, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.complained("--since is a time such as"));
}
