#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::TimelineOptions timeline_of(const SmallCounty& county, const std::string& person) {
  app::TimelineOptions options;
  options.config = county.config();
  options.person.text = person;
  options.role = "auditor";
  options.by = "an auditor";
  options.reason = "a test";
  return options;
}

}  // namespace

TEST_CASE("a timeline tells what was recorded about a child, with its fields where they are asked for") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = timeline_of(county, "nhs:9990000018");
  Told lines;
  CHECK(app::timeline(options, lines.surroundings) == ExitCode::ok);
  CHECK(lines.said("safeguarding_flag  council"));
  CHECK_FALSE(lines.said("Marlow"));
  options.fields = true;
  Told fields;
  CHECK(app::timeline(options, fields.surroundings) == ExitCode::ok);
  CHECK(fields.said("Marlow"));
  options.json = true;
  Told json;
  CHECK(app::timeline(options, json.surroundings) == ExitCode::ok);
  CHECK(json.out.str().starts_with("{\"sequence\":"));
  CHECK(json.said(R"("type":"safeguarding_flag")"));
}

TEST_CASE("a child that nothing is recorded about is not found, and the number is not repeated") {
  const RunningCounty county;
  Told told;
  CHECK(app::timeline(timeline_of(county, "nhs:9990000026"), told.surroundings) == ExitCode::not_found);
  CHECK_FALSE(told.complained("9990000026"));
}

TEST_CASE("a question that names nobody, or nobody's role, is refused before any hub is asked") {
  const SmallCounty county;
  Told nobody;
  CHECK(app::timeline(timeline_of(county, "-"), nobody.surroundings) == ExitCode::wrong_input);
  CHECK(nobody.complained("--person"));
  auto options = timeline_of(county, "nhs:9990000018");
  options.role = "auditer";
  Told role;
  CHECK(app::timeline(options, role.surroundings) == ExitCode::wrong_input);
  CHECK(role.complained("`auditor`"));
}

TEST_CASE("status tells of the hub and of what waits for whom") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  Told table;
  CHECK(app::status({county.config(), false}, table.surroundings) == ExitCode::ok);
  CHECK(table.out.str().starts_with("Small"));
  CHECK(table.said("council-desk"));
  Told json;
  CHECK(app::status({county.config(), true}, json.surroundings) == ExitCode::ok);
  CHECK(json.said(R"("subscription":"council-desk")"));
  CHECK(json.said(R"("waiting":1)"));
}

TEST_CASE("questions to a hub that does not run say where it was looked for") {
  const SmallCounty county;
  Told timeline, status;
  CHECK(app::timeline(timeline_of(county, "nhs:9990000018"), timeline.surroundings) == ExitCode::unavailable);
  CHECK(app::status({county.config(), false}, status.surroundings) == ExitCode::unavailable);
  CHECK(status.complained("no hub answers at ipc://"));
}

TEST_CASE("a timeline is told of a journey or an agency too, narrowed, and as CSV with both times") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  app::TimelineOptions options;
  options.config = county.config();
  options.role = "auditor";
  options.by = "an auditor";
  options.reason = "a test";
  options.agency = "council";
  options.csv = true;
  Told csv;
  CHECK(app::timeline(options, csv.surroundings) == ExitCode::ok);
  CHECK(csv.out.str().starts_with("sequence,occurred_at,appended_at,"));
  CHECK(csv.said("2026-03-02T10:00:00.000Z"));
  options.csv = false;
  options.until = "2001-01-01";
  Told none;
  CHECK(app::timeline(options, none.surroundings) == ExitCode::not_found);
  options.until.clear();
  options.types = {{"types", "admission"}};
  Told other;
  CHECK(app::timeline(options, other.surroundings) == ExitCode::not_found);
  options.types.clear();
  options.agency.clear();
  options.journey = "no such journey";
  Told journey;
  CHECK(app::timeline(options, journey.surroundings) == ExitCode::not_found);
}
