#include "broker/app/audit_questions.hpp"
#include "broker/app/program.hpp"
#include "broker/core/report_period.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::ReportOptions report(const SmallCounty& county, const std::string& quarter) {
  app::ReportOptions options;
  options.config = county.config();
  options.quarter = quarter;
  options.by = "an auditor";
  options.reason = "a test";
  return options;
}

}  // namespace

TEST_CASE("a quarter that is over is reported for good, and the one that is under way for now") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const auto now = core::quarter_of(SystemClock().now()).name();
  auto options = report(county, now);
  Told lines;
  CHECK(app::audit_report(options, lines.surroundings) == ExitCode::ok);
  CHECK(lines.said("provisional: the quarter is not over"));
  CHECK(lines.said("safeguarding_flag"));
  options.rows.csv = true;
  Told csv;
  CHECK(app::audit_report(options, csv.surroundings) == ExitCode::ok);
  CHECK(csv.said("safeguarding_flag,council,suppressed,"));
  CHECK(csv.complained("counts below 5 are hidden"));
  options.suppress_below = 0;
  Told whole;
  CHECK(app::audit_report(options, whole.surroundings) == ExitCode::ok);
  CHECK(whole.said("safeguarding_flag,council,1,"));

  options = report(county, "2001-Q2");
  options.rows.json = true;
  Told first;
  CHECK(app::audit_report(options, first.surroundings) == ExitCode::ok);
  CHECK(first.said(R"("state":"first")"));
  Told again;
  CHECK(app::audit_report(options, again.surroundings) == ExitCode::ok);
  CHECK(again.said(R"("state":"again")"));
  CHECK(again.complained("every figure is the same"));
}

TEST_CASE("what is no quarter is told before any hub is asked, and what is no definition by the hub") {
  const SmallCounty alone;
  Told wrong;
  CHECK(app::audit_report(report(alone, "spring"), wrong.surroundings) == ExitCode::wrong_input);
  CHECK(wrong.complained("a quarter is written as 2026-Q1"));
  const RunningCounty county;
  auto options = report(county, "2001-Q2");
  options.definition = 9;
  Told told;
  CHECK(app::audit_report(options, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.complained("there is no definition 9"));
}

TEST_CASE("a report is asked for below audit, with a quarter, by whom and why") {
  const auto parsed = app::parse_command({"audit", "report", "hub.toml", "--quarter", "2026-Q1", "--by", "a",
                                          "--reason", "b", "--suppress-below", "10", "--csv"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<app::ReportOptions>(command);
  REQUIRE(options != nullptr);
  CHECK(options->quarter == "2026-Q1");
  CHECK(options->suppress_below == 10);
  CHECK(options->definition == 1);
  CHECK(std::holds_alternative<app::Leave>(
      app::parse_command({"audit", "report", "hub.toml", "--by", "a", "--reason", "b"})));
}
