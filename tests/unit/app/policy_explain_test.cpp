#include "broker/app/audit_questions.hpp"
#include "broker/app/policy_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::PolicyExplainOptions explaining(const SmallCounty& county, const std::string& role) {
  app::PolicyExplainOptions options;
  options.config = county.config();
  options.role = role;
  options.event = 0;
  options.by = "a governance officer";
  options.reason = "complaint 7";
  return options;
}

/// The number of the one event, as the hub's own timeline has it.
std::uint64_t event_in(const SmallCounty& county) {
  app::TimelineOptions options;
  options.config = county.config();
  options.person.text = "nhs:9990000018";
  options.role = "auditor";
  options.by = "a test";
  options.reason = "a test";
  options.json = true;
  Told told;
  REQUIRE(app::timeline(options, told.surroundings) == ExitCode::ok);
  const auto text = told.out.str();
  const auto at = text.find("\"sequence\":");
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(at + 11));
}

}  // namespace

TEST_CASE("a running hub says field by field what a role sees and why, never a value, and it is on record") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = explaining(county, "desk");
  options.event = event_in(county);
  Told tables;
  CHECK(app::policy_explain(options, tables.surroundings) == ExitCode::ok);
  CHECK(tables.said("as council in the role desk"));
  CHECK(tables.said("shown by `desk sees that there is a flag` (Children Act 1989 s.47)"));
  CHECK(tables.said("person.names[0].family"));
  CHECK(tables.said("the rule does not name it"));
  CHECK_FALSE(tables.said("Marlow"));
  CHECK_FALSE(tables.said("9990000018"));
  options.json = true;
  Told json;
  CHECK(app::policy_explain(options, json.surroundings) == ExitCode::ok);
  CHECK(json.said(R"("path":"person.names[0].family","verdict":"shown")"));
  CHECK(json.said(R"("path":"person.nhs_number","verdict":"withheld")"));
  app::TrailOptions trail;
  trail.config = county.config();
  trail.by = "an auditor";
  trail.reason = "a test";
  Told record;
  CHECK(app::audit_trail(trail, record.surroundings) == ExitCode::ok);
  CHECK(record.said("  explain  sequence:" + std::to_string(options.event)));
  CHECK(record.said("a governance officer"));
}

TEST_CASE("a draft is explained from its file, and all its faults are told without asking a hub") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = explaining(county, "desk");
  options.event = event_in(county);
  options.policy = (county.folder.path() / "draft.toml").string();
  county.folder.write("draft.toml", R"([[rule]]
name = "draft"
role = "desk"
types = ["admission"]
show = ["person"]
legal_basis = "Children Act 1989 s.47"
)");
  Told draft;
  CHECK(app::policy_explain(options, draft.surroundings) == ExitCode::ok);
  CHECK(draft.said("under the policy that was given: nothing is shown"));
  CHECK(draft.said("it is for other event types"));
  county.folder.write("draft.toml",
                      "[[rule]]\nname = \"draft\"\nrole = \"desk\"\ntypes = [\"admision\"]\n"
                      "show = [\"persson\"]\nlegal_basis = \"x\"\n");
  Told faulty;
  CHECK(app::policy_explain(options, faulty.surroundings) == ExitCode::wrong_input);
  CHECK(faulty.complained("draft.toml:4:"));
  CHECK(faulty.complained("draft.toml:5:"));
  CHECK(faulty.complained("admission"));
}

TEST_CASE("an explanation of no event, or for a role that is none, leaves with a reason") {
  const RunningCounty county;
  auto options = explaining(county, "desk");
  options.event = 4711;
  Told none;
  CHECK(app::policy_explain(options, none.surroundings) == ExitCode::not_found);
  options.role = "dusk";
  Told role;
  CHECK(app::policy_explain(options, role.surroundings) == ExitCode::wrong_input);
  CHECK(role.complained("the policy has no such role"));
}
