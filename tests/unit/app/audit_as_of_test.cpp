#include "broker/app/audit_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::AsOfOptions as_of(const SmallCounty& county, const std::string& at) {
  app::AsOfOptions options;
  options.config = county.config();
  options.person.text = "nhs:9990000018";
  options.agency = "council";
  options.at = at;
  options.by = "an auditor";
  options.reason = "a test";
  return options;
}

}  // namespace

TEST_CASE("what an agency had been offered by then is told to people, to programs and to spreadsheets") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = as_of(county, "2999-01-01");
  Told lines;
  CHECK(app::audit_as_of(options, lines.surroundings) == ExitCode::ok);
  CHECK(lines.said("offered to  council-desk"));
  CHECK(lines.said("not acknowledged by then"));
  CHECK_FALSE(lines.said("Marlow"));
  options.fields = true;
  Told fields;
  CHECK(app::audit_as_of(options, fields.surroundings) == ExitCode::ok);
  CHECK(fields.said("Marlow"));
  CHECK_FALSE(fields.said("9990000018"));
  options.rows.json = true;
  Told json;
  CHECK(app::audit_as_of(options, json.surroundings) == ExitCode::ok);
  CHECK(json.said(R"("rule":"desk sees that there is a flag")"));
  CHECK(json.said(R"("decided_in":)"));
  options.agency = "*";
  Told every;
  CHECK(app::audit_as_of(options, every.surroundings) == ExitCode::ok);
  CHECK(every.said(R"("agency":"council")"));
  options.agency = "council";
  options.rows = {false, true};
  Told csv;
  CHECK(app::audit_as_of(options, csv.surroundings) == ExitCode::ok);
  CHECK(csv.out.str().starts_with("sequence,type,agency,"));
}

TEST_CASE("nothing had been offered before it was there, and a time that is none is told") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  Told early;
  CHECK(app::audit_as_of(as_of(county, "2001-01-01"), early.surroundings) == ExitCode::not_found);
  Told wrong;
  CHECK(app::audit_as_of(as_of(county, "then"), wrong.surroundings) == ExitCode::wrong_input);
  CHECK(wrong.complained("--at is a time such as"));
}
