#include "broker/app/audit_questions.hpp"
#include "broker/app/policy_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::PolicyApplyOptions applying(const SmallCounty& county, const std::string& text) {
  county.folder.write("next.toml", text);
  app::PolicyApplyOptions options;
  options.config = county.config();
  options.policy = (county.folder.path() / "next.toml").string();
  options.by = "a governance officer";
  options.reason = "agreement 12";
  return options;
}

/// The county's policy with one text in another's place.
std::string policy_with(const SmallCounty& county, const std::string& what, const std::string& by) {
  auto text = county.folder.read("policy.toml");
  const auto at = text.find(what);
  if (at == std::string::npos) FAIL("the policy does not hold: " + what);
  return text.replace(at, what.size(), by);
}

std::string trail_of(const SmallCounty& county) {
  app::TrailOptions options;
  options.config = county.config();
  options.by = "an auditor";
  options.reason = "a test";
  Told told;
  CHECK(app::audit_trail(options, told.surroundings) == ExitCode::ok);
  return told.out.str();
}

}  // namespace

TEST_CASE("what would change is shown and asked about; then it decides, and who and why are on record") {
  const RunningCounty county;
  auto options = applying(county, policy_with(county, "\"person.names\", ", "\"person.birth_date\", "));
  Told nobody;
  CHECK(app::policy_apply(options, nobody.surroundings) == ExitCode::usage);
  CHECK(nobody.complained("no terminal"));
  CHECK(nobody.said("- show = [\"person.names\", \"safeguarding_flag\"]"));
  CHECK(nobody.said("+ show = [\"person.birth_date\", \"safeguarding_flag\"]"));
  Told unsure("no\n");
  unsure.surroundings.somebody_to_ask = true;
  CHECK(app::policy_apply(options, unsure.surroundings) == ExitCode::usage);
  CHECK(unsure.complained("stays"));
  CHECK(trail_of(county).find("agreement 12") == std::string::npos);
  Told sure("apply\n");
  sure.surroundings.somebody_to_ask = true;
  REQUIRE(app::policy_apply(options, sure.surroundings) == ExitCode::ok);
  CHECK(sure.said("decides from the next event on"));
  CHECK(sure.complained("policy.toml holds another policy"));
  CHECK(trail_of(county).find("a governance officer: agreement 12") != std::string::npos);
  Told again;
  CHECK(app::policy_apply(options, again.surroundings) == ExitCode::ok);
  CHECK(again.said("nothing changes"));
}

TEST_CASE("questions are answered by the policy that was applied") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options =
      applying(county, policy_with(county, "show = [\"*\"]", "show = [\"safeguarding_flag.status\"]"));
  options.yes = true;
  options.json = true;
  Told applied;
  REQUIRE(app::policy_apply(options, applied.surroundings) == ExitCode::ok);
  CHECK(applied.said(R"("policy_version":)"));
  app::TimelineOptions timeline;
  timeline.config = county.config();
  timeline.person.text = "nhs:9990000018";
  timeline.role = "auditor";
  timeline.by = "a test";
  timeline.reason = "a test";
  timeline.fields = true;
  Told told;
  REQUIRE(app::timeline(timeline, told.surroundings) == ExitCode::ok);
  CHECK(told.said("safeguarding_flag.status"));
  CHECK_FALSE(told.said("Marlow"));
}

TEST_CASE("a policy with faults, or without a role that is in use, is not applied, and a preview neither") {
  const RunningCounty county;
  auto options = applying(county, policy_with(county, "\"safeguarding_flag\"]\nrelationship = \"resident\"",
                                              "\"safeguarding_flog\"]\nrelationship = \"rezident\""));
  options.yes = true;
  Told faulty;
  CHECK(app::policy_apply(options, faulty.surroundings) == ExitCode::wrong_input);
  CHECK(faulty.complained("next.toml:4:"));
  CHECK(faulty.complained("next.toml:5:"));
  options = applying(county, policy_with(county, "role = \"desk\"", "role = \"dusk\""));
  options.yes = true;
  Told orphan;
  CHECK(app::policy_apply(options, orphan.surroundings) != ExitCode::ok);
  CHECK(orphan.complained("council-desk (role desk)"));
  options = applying(county, policy_with(county, "s.47", "s.17"));
  options.preview = true;
  options.reason = "a draft";
  Told preview;
  CHECK(app::policy_apply(options, preview.surroundings) == ExitCode::ok);
  CHECK(preview.said("+ legal_basis = \"Children Act 1989 s.17\""));
  const auto trail = trail_of(county);
  CHECK(trail.find("refused change policy") != std::string::npos);
  CHECK(trail.find("a draft") == std::string::npos);
}
