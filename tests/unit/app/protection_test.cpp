#include "broker/app/protection.hpp"

#include "broker/app/audit_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

constexpr const char* kChild = "nhs:9990000018";

app::MarkOptions marking(const SmallCounty& county, const std::string& mark, bool lift = false) {
  app::MarkOptions options;
  options.config = county.config();
  options.person.text = kChild;
  options.marks = {mark};
  options.lift = lift;
  options.by = "An Operator";
  options.reason = "police request 7";
  return options;
}

app::BreakGlassOptions breaking(const SmallCounty& county, const std::string& role) {
  app::BreakGlassOptions options;
  options.config = county.config();
  options.person.text = kChild;
  options.role = role;
  options.minutes = 20;
  options.by = "A Worker";
  options.reason = "found alone";
  return options;
}

/// What a timeline of the child shows an auditor.
bool auditor_sees(const SmallCounty& county, const std::string& text) {
  app::TimelineOptions options;
  options.config = county.config();
  options.person.text = kChild;
  options.role = "auditor";
  options.by = "a test";
  options.reason = "a test";
  options.fields = true;
  Told told;
  app::timeline(options, told.surroundings);
  return told.said(text);
}

std::string trail_of_child(const SmallCounty& county) {
  app::TrailOptions options;
  options.config = county.config();
  options.person.text = kChild;
  options.by = "an auditor";
  options.reason = "a test";
  Told told;
  CHECK(app::audit_trail(options, told.surroundings) == ExitCode::ok);
  return told.out.str();
}

/// The council's night role, which sees a child only behind broken glass.
void add_night(const SmallCounty& county) {
  county.change("roles = [\"desk\"]", "roles = [\"desk\", \"night\"]");
  county.folder.write("policy.toml",
                      county.folder.read("policy.toml") +
                          "[[rule]]\nname = \"by night\"\nrole = \"night\"\n"
                          "types = [\"safeguarding_flag\"]\nshow = [\"person.names\"]\n"
                          "break_glass_minutes = 30\nlegal_basis = \"Children Act 1989 s.46\"\n");
}

/// Whether the night role is shown an event of the child by a question of the council's own.
bool night_sees(const RunningCounty& county) {
  const auto hub = county.connect("council");
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = kChild;
  query.role = "night";
  query.reason = "found alone";
  const auto page = app::ask(*hub, std::move(query));
  REQUIRE(page);
  return !page->rows.empty();
}

}  // namespace

TEST_CASE("a child whom an operator marks is masked in questions, until the mark is lifted") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(auditor_sees(county, "Marlow"));
  Told marked;
  REQUIRE(app::mark_child(marking(county, "witness_protection"), marked.surroundings) == ExitCode::ok);
  CHECK(marked.said("marked, recorded as entry "));
  CHECK_FALSE(auditor_sees(county, "Marlow"));
  Told again;
  CHECK(app::mark_child(marking(county, "witness_protection"), again.surroundings) == ExitCode::ok);
  CHECK(again.said("nothing changes"));
  auto lift = marking(county, "witness_protection", true);
  lift.json = true;
  Told lifted;
  REQUIRE(app::mark_child(lift, lifted.surroundings) == ExitCode::ok);
  CHECK(lifted.said(R"({"changed":true,"recorded_as":)"));
  CHECK(auditor_sees(county, "Marlow"));
  const auto trail = trail_of_child(county);
  CHECK(trail.find("  mark child") != std::string::npos);
  CHECK(trail.find("  lift marks of child") != std::string::npos);
  CHECK(trail.find("An Operator: police request 7") != std::string::npos);
}

TEST_CASE("a mark that is not there, an unknown word and an unknown child are told") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  Told not_there;
  CHECK(app::mark_child(marking(county, "adopted", true), not_there.surroundings) != ExitCode::ok);
  CHECK(not_there.complained("does not bear"));
  Told word;
  CHECK(app::mark_child(marking(county, "unknown"), word.surroundings) == ExitCode::usage);
  auto options = marking(county, "adopted");
  options.person.text = "nhs:9990000026";
  Told nobody;
  CHECK(app::mark_child(options, nobody.surroundings) == ExitCode::not_found);
  CHECK_FALSE(nobody.complained("9990000026"));
}

TEST_CASE("an agency that breaks the glass is shown the child's events, and who and why are in the trail") {
  const RunningCounty county(app::RunOptions::Parts::broker, add_night);
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  CHECK_FALSE(night_sees(county));
  Told broken;
  REQUIRE(app::break_glass(breaking(county, "night"), broken.surroundings) == ExitCode::ok);
  CHECK(broken.said("the glass is broken for role night of council until 2"));
  CHECK(night_sees(county));
  const auto trail = trail_of_child(county);
  CHECK(trail.find("  break glass") != std::string::npos);
  CHECK(trail.find("one person until 2") != std::string::npos);
  CHECK(trail.find("A Worker") != std::string::npos);
  CHECK(trail.find("found alone") != std::string::npos);
  auto options = breaking(county, "night");
  options.json = true;
  Told json;
  REQUIRE(app::break_glass(options, json.surroundings) == ExitCode::ok);
  CHECK(json.said(R"({"until":"2)"));
}

TEST_CASE("glass of a role that has none, or for longer than its rules say, is not broken") {
  const RunningCounty county(app::RunOptions::Parts::broker, add_night);
  Told none;
  CHECK(app::break_glass(breaking(county, "desk"), none.surroundings) != ExitCode::ok);
  CHECK(none.complained("break_glass_minutes"));
  auto options = breaking(county, "night");
  options.minutes = 31;
  Told longer;
  CHECK(app::break_glass(options, longer.surroundings) != ExitCode::ok);
  CHECK(longer.complained("1 to 30 minutes"));
  Told role;
  CHECK(app::break_glass(breaking(county, "nite"), role.surroundings) != ExitCode::ok);
  CHECK(role.complained("night"));
}
