#include <algorithm>
#include <boost/json.hpp>

#include "broker/app/audit_questions.hpp"
#include "broker/app/policy_questions.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

constexpr const char* kDraft = R"([[rule]]
name = "=desk sees whom"
role = "desk"
types = ["safeguarding_flag"]
relationship = "resident"
show = ["person.birth_date", "safeguarding_flag"]
coarsen = [{ path = "person.nhs_number", how = "pseudonymised" }]
sees_restricted = ["*"]
legal_basis = "Children Act 1989 s.47"
[[rule]]
name = "auditor reads the record"
role = "auditor"
types = ["*"]
show = ["*"]
legal_basis = "Children Act 2004 s.11"
)";

app::PolicyDiffOptions comparing(const SmallCounty& county, const std::string& draft) {
  county.folder.write("draft.toml", draft);
  app::PolicyDiffOptions options;
  options.config = county.config();
  options.old_policy = "current";
  options.new_policy = (county.folder.path() / "draft.toml").string();
  options.by = "a governance officer";
  options.reason = "a review";
  return options;
}

/// What the command says to another program: one object, and nothing beside it.
boost::json::object as_json(app::PolicyDiffOptions options) {
  options.json = true;
  Told told;
  REQUIRE(app::policy_diff(options, told.surroundings) == ExitCode::ok);
  CHECK(told.err.str().empty());
  CHECK_FALSE(told.said("Marlow"));
  CHECK_FALSE(told.said("9990000018"));
  const auto text = told.out.str();
  REQUIRE(text.find('\n') == text.size() - 1);
  return boost::json::parse(text).as_object();
}

boost::json::object parsed(const char* text) { return boost::json::parse(text).as_object(); }

}  // namespace

TEST_CASE(
    "a running hub says who would see more and less under a draft, never a value, and it is on record") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(county.publish(SmallCounty::flag("e2", "closed")) == ExitCode::ok);
  auto options = comparing(county, kDraft);
  Told table;
  CHECK(app::policy_diff(options, table.surroundings) == ExitCode::ok);
  INFO(table.out.str() << table.err.str());
  CHECK(table.said("person.names[].family"));
  CHECK(table.said("pseudonymised"));
  CHECK(table.said("=desk sees whom"));
  CHECK(table.said("2 events of 30 days tried; 1 pair of role and agency would see more, 1 less\n"));
  CHECK_FALSE(table.said("Marlow"));
  CHECK_FALSE(table.said("9990000018"));
  options.csv = true;
  options.days = 1;
  Told csv;
  CHECK(app::policy_diff(options, csv.surroundings) == ExitCode::ok);
  const auto text = csv.out.str();
  CHECK(text.starts_with(
      "role,agency,event,field,before,after,change,events,first_example,rule_before,rule_after\r\n"));
  CHECK(text.find("desk,council,safeguarding_flag,person.names[].family,shown,withheld,less,2,") !=
        std::string::npos);
  CHECK(text.find("desk,council,safeguarding_flag,person.nhs_number,withheld,pseudonymised,more,2,") !=
        std::string::npos);
  CHECK(text.find(",desk sees that there is a flag,\"'=desk sees whom\"\r\n") != std::string::npos);
  CHECK(text.find("tried") == std::string::npos);
  CHECK(csv.complained("2 events of 1 day tried; "));
  app::TrailOptions trail;
  trail.config = county.config();
  trail.by = "an auditor";
  trail.reason = "a test";
  Told record;
  CHECK(app::audit_trail(trail, record.surroundings) == ExitCode::ok);
  CHECK(record.said("policy_diff  from the policy that decides to a policy that was given since "));
  CHECK(record.said("a governance officer"));
}

TEST_CASE("another program gets the same as one object, whose names stay") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(county.publish(SmallCounty::flag("e2", "closed")) == ExitCode::ok);
  auto found = as_json(comparing(county, kDraft));
  const auto changes = found.at("changes").as_array();
  found.erase("changes");
  CHECK(found == parsed(R"({"days": 30, "events": 2, "erased": 0, "unopened": 0, "pairs_more": 1,
                            "pairs_less": 1, "only_in_one": [], "left_out": []})"));
  const auto of = [&changes](const char* field) {
    for (const auto& each : changes) {
      const auto* path = each.as_object().if_contains("field");
      if (path != nullptr && *path == field) {
        auto one = each.as_object();
        CHECK(one.at("first_example").as_int64() > 0);
        one.erase("first_example");
        return one;
      }
    }
    return boost::json::object();
  };
  CHECK(of("person.names[].family") ==
        parsed(R"({"role": "desk", "agency": "council", "event": "safeguarding_flag",
                   "field": "person.names[].family", "before": "shown", "after": "withheld",
                   "change": "less", "events": 2, "rule_before": "desk sees that there is a flag",
                   "rule_after": "=desk sees whom"})"));
  CHECK(of("person.nhs_number").at("after") == "pseudonymised");
  CHECK(of("person.nhs_number").at("change") == "more");

  const std::string draft = kDraft;
  const auto gone = as_json(comparing(county, draft.substr(draft.rfind("[[rule]]"))));
  CHECK(gone.at("only_in_one") ==
        boost::json::parse(R"([{"kind": "role", "name": "desk", "policy": "old"}])"));
  const auto& all = gone.at("changes").as_array();
  const auto* whole = std::ranges::find_if(
      all, [](const boost::json::value& each) { return !each.as_object().contains("field"); });
  REQUIRE(whole != all.end());
  auto event = whole->as_object();
  event.erase("first_example");
  CHECK(event == parsed(R"({"role": "desk", "agency": "council", "event": "safeguarding_flag",
                            "before": "seen", "after": "not seen", "change": "less", "events": 2,
                            "rule_before": "desk sees that there is a flag"})"));
}

TEST_CASE("where two policies show the same it is said that nothing changes") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = comparing(county, county.folder.read("policy.toml"));
  Told same;
  CHECK(app::policy_diff(options, same.surroundings) == ExitCode::ok);
  CHECK(same.out.str() ==
        "1 event of 30 days tried; nothing changes: nobody would see more or less of them\n");
  options.old_policy = options.new_policy;
  Told itself;
  CHECK(app::policy_diff(options, itself.surroundings) == ExitCode::ok);
  CHECK(itself.said("nothing changes"));
  options.old_policy = options.new_policy = "current";
  Told neither;
  CHECK(app::policy_diff(options, neither.surroundings) == ExitCode::wrong_input);
  CHECK(neither.complained("give one of them"));
}

TEST_CASE("an event that is seen no more is told as such, and so is a role of one policy alone") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const std::string draft = kDraft;
  const auto options = comparing(county, draft.substr(draft.rfind("[[rule]]")));
  Told gone;
  CHECK(app::policy_diff(options, gone.surroundings) == ExitCode::ok);
  CHECK(gone.said("(the event itself)"));
  CHECK(gone.said("not seen"));
  CHECK(gone.said("(none)"));
  CHECK(gone.said("role desk: only in the old policy\n"));
  CHECK(gone.said("0 pairs of role and agency would see more, 1 less\n"));
}

TEST_CASE("what had no room and what was erased is said beside the totals") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  std::string draft = kDraft;
  for (int i = 0; i < 1100; ++i) {
    const auto name = "drafted-" + std::to_string(i);
    draft += "[[rule]]\nname = \"" + name + "\"\nrole = \"" + name +
             "\"\ntypes = [\"safeguarding_flag\"]\nshow = [\"*\"]\nlegal_basis = \"a draft\"\n";
  }
  const auto options = comparing(county, draft);
  Told cut;
  CHECK(app::policy_diff(options, cut.surroundings) == ExitCode::ok);
  CHECK(cut.said("too many roles and agencies: 78 pairs were not tried, and are not in the totals\n"));
  CHECK(cut.said("times a field would change in a way that is left out above; the totals have them\n"));
  CHECK(cut.said("role drafted-0: only in the new policy\n"));
  CHECK(cut.said("844 more are in one policy alone and not named\n"));
  const auto left_out = as_json(options).at("left_out").as_array();
  REQUIRE(left_out.size() == 4);
  CHECK(std::ranges::find(left_out, boost::json::parse(R"({"what": "pairs", "count": 78})")) !=
        left_out.end());
  CHECK(std::ranges::find(left_out, boost::json::parse(R"({"what": "role", "count": 844})")) !=
        left_out.end());
  app::EraseOptions erasing;
  erasing.config = county.config();
  erasing.person.text = "nhs:9990000018";
  erasing.by = "An Operator";
  erasing.reason = "a test";
  erasing.yes = true;
  Told erased;
  REQUIRE(app::erase(erasing, erased.surroundings) == ExitCode::ok);
  Told none;
  CHECK(app::policy_diff(comparing(county, kDraft), none.surroundings) == ExitCode::ok);
  CHECK(none.said("0 events of 30 days tried (1 more has been erased); nothing changes"));
}

TEST_CASE("all faults of both policies are told with their places, and no hub is asked") {
  const SmallCounty county;
  auto options = comparing(county,
                           "[[rule]]\nname = \"draft\"\nrole = \"desk\"\ntypes = [\"admision\"]\n"
                           "show = [\"persson\"]\nlegal_basis = \"x\"\n");
  county.folder.write("old.toml", "[[rule]]\nname = \"r\"\n");
  options.old_policy = (county.folder.path() / "old.toml").string();
  Told faulty;
  CHECK(app::policy_diff(options, faulty.surroundings) == ExitCode::wrong_input);
  CHECK(faulty.complained("draft.toml:4:"));
  CHECK(faulty.complained("draft.toml:5:"));
  CHECK(faulty.complained("admission"));
  CHECK(faulty.complained("old.toml:"));
  CHECK(faulty.out.str().empty());
  county.folder.write("draft.toml", kDraft);
  options.old_policy = "current";
  Told none;
  CHECK(app::policy_diff(options, none.surroundings) == ExitCode::unavailable);
}
