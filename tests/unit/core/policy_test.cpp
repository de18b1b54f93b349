#include "broker/core/policy.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "broker/core/policy_text.hpp"
#include "tests/fakes/events.hpp"

using namespace carehub;
using namespace carehub::core;
using event::EventType;
using fakes::event_of;

namespace {

constexpr std::string_view kGoodRule = R"([[rule]]
name = "school knows of absence"
role = "school-pastoral"
types = ["admission"]
relationship = "pupil"
show = ["person.upn"]
legal_basis = "Children Act 2004 s.10"
)";

std::vector<std::string> faults_in(std::string_view text) {
  auto document = ConfigDocument::parse(text, "policy.toml");
  Policy::read(document, 1);
  std::vector<std::string> faults;
  for (const auto& fault : document.faults()) faults.push_back(to_string(fault));
  return faults;
}

/// The good rule with one of its lines changed.
std::string with(std::string_view line, std::string_view instead) {
  std::string text(kGoodRule);
  const auto at = text.find(line);
  REQUIRE(at != std::string::npos);
  return text.replace(at, line.size(), instead);
}

std::string one_fault_in(const std::string& text) {
  const auto faults = faults_in(text);
  INFO(text);
  REQUIRE(faults.size() == 1);
  return faults[0];
}

Policy policy_of(std::string_view text) {
  auto document = ConfigDocument::parse(text, "policy.toml");
  auto policy = Policy::read(document, 7);
  for (const auto& fault : document.faults()) FAIL(to_string(fault));
  return policy;
}

Agency agency_with(std::string code) {
  Agency agency;
  agency.id = "a";
  agency.codes = {std::move(code)};
  return agency;
}

std::string rule_name(const Policy& policy, const std::string& role, const Agency& agency,
                      const Bytes& bytes) {
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  const auto* rule = policy.rule_for(role, agency, *event, with_own({}, *event, {}), {});
  return rule == nullptr ? "withheld" : rule->name;
}

}  // namespace

TEST_CASE("a rule is read with all that it says") {
  const auto policy = policy_of(R"([[rule]]
name = "r"
role = "duty"
types = ["discharge", "admission"]
tiers = [4, 3]
relationship = "resident"
show = ["person.names", "admission.location.unit"]
coarsen = [
  { path = "person.birth_date", how = "to_year" },
  { path = "admission.reason_text", how = "replaced", by = "Away" },
]
legal_basis = "basis"
)");
  CHECK(policy.version() == 7);
  CHECK(policy.has_role("duty"));
  CHECK_FALSE(policy.has_role("dut"));
  REQUIRE(policy.rules().size() == 1);
  const auto& rule = policy.rules()[0];
  CHECK(rule.types == std::vector{EventType::admission, EventType::discharge});
  CHECK(rule.tiers == std::vector<std::uint8_t>{3, 4});
  CHECK(rule.relationships == std::vector{Relationship::resident});
  REQUIRE(rule.show.size() == 2);
  CHECK(rule.show[0].text() == "person.names[]");
  REQUIRE(rule.coarsen.size() == 2);
  CHECK(rule.coarsen[0].how == Coarsening::to_year);
  CHECK(rule.coarsen[1].replacement == "Away");
  CHECK(rule.legal_basis == "basis");
}

TEST_CASE("a star stands for every type and every field") {
  const auto policy = policy_of(
      "[[rule]]\nname = \"r\"\nrole = \"auditor\"\ntypes = [\"*\"]\nshow = [\"*\"]\nlegal_basis = \"b\"\n");
  const auto& rule = policy.rules()[0];
  CHECK(rule.types.size() == static_cast<std::size_t>(EventType::MAX));
  for (const auto& name : event_field_names()) {
    const auto leaf = FieldPath::parse(name);
    REQUIRE(leaf);
    INFO(name);
    CHECK(std::ranges::any_of(rule.show, [&](const FieldPath& path) { return path.covers(*leaf); }));
  }
}

TEST_CASE("an unknown word is named with its place and the nearest word that is known") {
  CHECK(one_fault_in(with("\"admission\"", "\"admision\"")) ==
        "policy.toml:4:9: unknown event type `admision`. Did you mean `admission`?");
  CHECK(one_fault_in(with("\"pupil\"", "\"pupl\"")) ==
        "policy.toml:5:16: unknown relationship `pupl`. Did you mean `pupil`?");
  const auto path = one_fault_in(with("person.upn", "person.unp"));
  CHECK(path.starts_with("policy.toml:6:8: unknown field `unp`"));
  CHECK(path.find("Did you mean `upn`?") != std::string::npos);
  const auto key = faults_in(with("show =", "shwo ="));
  REQUIRE(key.size() == 2);
  CHECK(key[0].find("shows nothing") != std::string::npos);
  CHECK(key[1] == "policy.toml:6:1: unknown key `shwo`. Did you mean `show`?");
}

TEST_CASE("a rule without a legal basis is a fault and shows nothing") {
  const auto without = with("legal_basis = \"Children Act 2004 s.10\"\n", "");
  CHECK(one_fault_in(without).find("`legal_basis` is missing") != std::string::npos);
  CHECK(one_fault_in(with("Children Act 2004 s.10", "")).find("legal_basis is empty") != std::string::npos);
  auto document = ConfigDocument::parse(without, "policy.toml");
  CHECK(Policy::read(document, 1).rules().empty());
}

TEST_CASE("a rule that names no type or shows no field is a fault") {
  CHECK(one_fault_in(with("\"admission\"", "")).find("names no event type") != std::string::npos);
  CHECK(one_fault_in(with("\"person.upn\"", "")).find("shows nothing") != std::string::npos);
  CHECK(one_fault_in(with("relationship", "tiers = []\nrelationship")).find("names no tier") !=
        std::string::npos);
}

TEST_CASE("a coarsening must fit its field") {
  const auto coarsened = [](std::string_view entry) {
    return with("show =", "coarsen = [{ " + std::string(entry) + " }]\nshow =");
  };
  for (const auto* good :
       {"path = \"occurred_at\", how = \"to_date\"", "path = \"occurred_at\", how = \"to_month\"",
        "path = \"person.birth_date\", how = \"to_year\"",
        "path = \"person.addresses[].postcode\", how = \"to_district\"",
        "path = \"person.names[0].family\", how = \"replaced\", by = \"A child\""}) {
    INFO(good);
    CHECK(faults_in(coarsened(good)).empty());
  }
  for (const auto* bad :
       {"path = \"person.birth_date\", how = \"to_date\"", "path = \"person.upn\", how = \"to_month\"",
        "path = \"admission.reason_text\", how = \"to_district\"",
        "path = \"admission.tier\", how = \"replaced\", by = \"x\"",
        "path = \"person.names[].family\", how = \"replaced\", by = \"x\"",
        "path = \"person\", how = \"to_year\"", "path = \"id\", how = \"replaced\", by = \"x\""}) {
    INFO(bad);
    CHECK(one_fault_in(coarsened(bad)).find("does not fit") != std::string::npos);
  }
  CHECK(one_fault_in(coarsened("path = \"occurred_at\", how = \"to_dat\"")).find("Did you mean `to_date`?") !=
        std::string::npos);
  CHECK(one_fault_in(coarsened("path = \"admission.reason_text\", how = \"replaced\""))
            .find("needs the text") != std::string::npos);
  CHECK(one_fault_in(coarsened("path = \"occurred_at\", how = \"to_date\", by = \"x\"")).find("`by`") !=
        std::string::npos);
  CHECK(one_fault_in(
            coarsened(
                "path = \"occurred_at\", how = \"to_date\" }, { path = \"occurred_at\", how = \"to_year\""))
            .find("coarsened twice") != std::string::npos);
}

TEST_CASE("two rules may not share a name or decide about the same events") {
  const std::string good(kGoodRule);
  const auto other_condition = with("[\"admission\"]", "[\"discharge\"]");
  CHECK(one_fault_in(good + other_condition).find("the rule at policy.toml:2 has this name already") !=
        std::string::npos);
  const auto other_name = with("school knows of absence", "another");
  CHECK(one_fault_in(good + other_name).find("so this one never decides") != std::string::npos);
}

TEST_CASE("every fault of a file is found at once") {
  std::string text = with("\"admission\"", "\"admision\"");
  text = text.replace(text.find("\"pupil\""), 7, "\"pupl\"");
  text = text.replace(text.find("person.upn"), 10, "person.unp");
  CHECK(faults_in(text).size() == 3);
}

TEST_CASE("what no rule names is withheld") {
  const auto policy = policy_of(kGoodRule);
  const auto admission =
      event_of({{"type", "admission"}, {"admission.visit_number", "V"}, {"person.school.code", "900101"}});
  const auto discharge =
      event_of({{"type", "discharge"}, {"discharge.visit_number", "V"}, {"person.school.code", "900101"}});
  const auto school = agency_with("900101");
  CHECK(rule_name(policy, "school-pastoral", school, admission) == "school knows of absence");
  CHECK(rule_name(policy, "school-pastoral", school, discharge) == "withheld");
  CHECK(rule_name(policy, "somebody", school, admission) == "withheld");
  CHECK(rule_name(policy, "school-pastoral", agency_with("900202"), admission) == "withheld");
  CHECK(rule_name(Policy{}, "school-pastoral", school, admission) == "withheld");
}

TEST_CASE("each relationship looks at its own codes") {
  const auto rule = [](std::string_view relationship) {
    return policy_of("[[rule]]\nname = \"r\"\nrole = \"x\"\ntypes = [\"*\"]\nrelationship = \"" +
                     std::string(relationship) + "\"\nshow = [\"occurred_at\"]\nlegal_basis = \"b\"\n");
  };
  const auto bytes = event_of({{"type", "admission"},
                               {"person.school.code", "SCHOOL"},
                               {"person.gp_practice.code", "PRACTICE"},
                               {"person.home_authority.code", "COUNCIL"},
                               {"admission.location.site.code", "SITE"}});
  const auto seen = [&](std::string_view relationship, const char* code) {
    return rule_name(rule(relationship), "x", agency_with(code), bytes) == "r";
  };
  CHECK(seen("any", "NOBODY"));
  CHECK(seen("pupil", "SCHOOL"));
  CHECK_FALSE(seen("pupil", "COUNCIL"));
  CHECK(seen("patient", "PRACTICE"));
  CHECK(seen("patient", "SITE"));
  CHECK_FALSE(seen("patient", "SCHOOL"));
  CHECK(seen("resident", "COUNCIL"));
  CHECK_FALSE(seen("resident", "PRACTICE"));
}

TEST_CASE("the first rule of the role that fits decides") {
  const auto policy = policy_of(R"([[rule]]
name = "tier 4"
role = "x"
types = ["admission"]
tiers = [4]
show = ["person"]
legal_basis = "b"

[[rule]]
name = "the rest"
role = "x"
types = ["admission", "discharge"]
show = ["occurred_at"]
legal_basis = "b"
)");
  const auto tier4 = event_of({{"type", "admission"}, {"admission.tier", "4"}});
  const auto tier3 = event_of({{"type", "admission"}, {"admission.tier", "3"}});
  CHECK(rule_name(policy, "x", agency_with("A"), tier4) == "tier 4");
  CHECK(rule_name(policy, "x", agency_with("A"), tier3) == "the rest");
}

TEST_CASE("a protected child's event is withheld from a rule that does not see such marks") {
  const std::string blind(kGoodRule);
  auto seeing = std::string(kGoodRule) + "sees_restricted = [\"witness_protection\", \"sealed_record\"]\n";
  const auto agency = agency_with("900101");
  const auto marked = [](const char* mark) {
    return event_of({{"type", "admission"},
                     {"person.school.code", "900101"},
                     {"restrictions[0]", "sensitive_address"},
                     {"restrictions[1]", mark}});
  };
  for (const auto* mark : {"witness_protection", "sealed_record"}) {
    CHECK(rule_name(policy_of(blind), "school-pastoral", agency, marked(mark)) == "withheld");
    CHECK(rule_name(policy_of(seeing), "school-pastoral", agency, marked(mark)) == "school knows of absence");
  }
  CHECK(rule_name(policy_of(seeing), "school-pastoral", agency, marked("other")) == "withheld");
  CHECK(rule_name(policy_of(blind), "school-pastoral", agency, marked("adopted")) ==
        "school knows of absence");
}

TEST_CASE("a mark that nobody knows is named with its place and the nearest word, and `*` is all of them") {
  CHECK(one_fault_in(std::string(kGoodRule) + "sees_restricted = [\"sealed_records\"]\n") ==
        "policy.toml:8:19: unknown mark `sealed_records`. Did you mean `sealed_record`?");
  const auto all = policy_of(std::string(kGoodRule) + "sees_restricted = [\"*\"]\n");
  for (const auto mark : event::EnumValuesRestriction()) {
    CHECK((all.rules()[0].sees_restricted & bit_of(mark)) != 0);
  }
}

namespace {

const std::string kAgreed = R"([[agreement]]
name = "Schools 2026"
parties = ["a", "sender"]
signatories = ["A Head", "A Caldicott Guardian"]
signed = 2026-03-20
from = 2026-04-01
until = 2027-03-31
purposes = ["absence"]

[[rule]]
name = "under the agreement"
role = "x"
types = ["admission"]
agreement = "Schools 2026"
show = ["occurred_at"]
legal_basis = "b"
)";

constexpr Timestamp kInForce{1'777'593'600'000'000};  // 2026-05-01T00:00Z
constexpr Timestamp kLapsed{1'806'537'600'000'000};   // 2027-04-01T00:00Z

Bytes admission_from(const std::string& source) {
  return event_of({{"type", "admission"}, {"source_agency", source}});
}

std::string decided(const Policy& policy, const Bytes& bytes, Timestamp at, const std::string& agency = "a") {
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  auto asking = agency_with("C");
  asking.id = agency;
  const auto* rule = policy.rule_for("x", asking, *event, {}, at);
  return rule == nullptr ? policy.why_withheld("x", asking, *event, {}, at) : rule->name;
}

}  // namespace

TEST_CASE("a rule under an agreement lets through what passes between its parties while it is in force") {
  const auto policy = policy_of(kAgreed);
  REQUIRE(policy.agreement("Schools 2026") != nullptr);
  CHECK(policy.agreement("Schools") == nullptr);
  const auto event = admission_from("sender");
  CHECK(decided(policy, event, kInForce) == "under the agreement");
  CHECK(decided(policy, event, {kLapsed.us - 1}) == "under the agreement");
  CHECK(decided(policy, event, kLapsed) == "agreement Schools 2026 has lapsed");
  CHECK(decided(policy, event, {0}) == "agreement Schools 2026 is not yet in force");
}

TEST_CASE("an agreement between others, or without the event's source, lets nothing through") {
  const auto policy = policy_of(kAgreed);
  CHECK(decided(policy, admission_from("sender"), kInForce, "b") == kNoRule);
  CHECK(decided(policy, admission_from("sender"), kInForce, "") == kNoRule);
  CHECK(decided(policy, admission_from("another"), kInForce) == kNoRule);
  CHECK(decided(policy, admission_from("another"), kLapsed) == kNoRule);
}

TEST_CASE("where an agreement has lapsed, a wider rule that needs none decides") {
  const auto policy = policy_of(
      "[[rule]]\nname = \"wider\"\nrole = \"x\"\ntypes = [\"admission\"]\n"
      "show = [\"id\"]\nlegal_basis = \"b\"\n" +
      kAgreed);
  CHECK(decided(policy, admission_from("sender"), kInForce) == "under the agreement");
  CHECK(decided(policy, admission_from("sender"), kLapsed) == "wider");
}

TEST_CASE(
    "a rule that names an unknown agreement is a fault with the nearest name, and agreements have one each") {
  auto text = kAgreed;
  text.replace(text.find("agreement = \"Schools 2026\""), 26, "agreement = \"School 2026\"");
  CHECK(one_fault_in(text) ==
        "policy.toml:14:13: no [[agreement]] has the name `School 2026`. Did you mean `Schools 2026`?");
  const auto twice = kAgreed + kAgreed.substr(0, kAgreed.find("[[rule]]"));
  CHECK(one_fault_in(twice).find("the agreement at policy.toml:2 has this name already") !=
        std::string::npos);
  auto dateless = kAgreed;
  dateless.erase(dateless.find("until"), 19);
  CHECK(one_fault_in(dateless).starts_with("policy.toml:1:1: the agreement has no `until` date."));
}

TEST_CASE("a rule with ages fits whose completed years at the event are certain") {
  const auto policy = policy_of(R"([[rule]]
name = "teens"
role = "x"
types = ["admission"]
age_min = 11
age_max = 18
show = ["occurred_at"]
legal_basis = "b"
)");
  const auto born = [&](const char* date) {
    return rule_name(
        policy, "x", agency_with("C"),
        event_of(
            {{"type", "admission"}, {"occurred_at", "2026-03-02T10:00+00:00"}, {"person.birth_date", date}}));
  };
  CHECK(born("2015-03-02") == "teens");
  CHECK(born("2015-03-03") == "withheld");
  CHECK(born("2008-03-03") == "teens");
  CHECK(born("2008-03-02") == "withheld");
  CHECK(rule_name(policy, "x", agency_with("C"),
                  event_of({{"type", "admission"}, {"occurred_at", "2026-03-02T10:00+00:00"}})) ==
        "withheld");
  CHECK(one_fault_in(with("relationship", "age_min = 18\nage_max = 18\nrelationship"))
            .find("age_max is not above age_min") != std::string::npos);
}

TEST_CASE("of the rules that fit, a narrower one decides wherever it stands, else the first") {
  const auto rule = [](const std::string& name, const std::string& conditions) {
    return "[[rule]]\nname = \"" + name + "\"\nrole = \"x\"\n" + conditions +
           "\nshow = [\"id\"]\nlegal_basis = \"b\"\n";
  };
  const auto wide = rule("wide", "types = [\"admission\", \"discharge\"]");
  const auto tier = rule("tier", "types = [\"admission\", \"discharge\"]\ntiers = [4]");
  const auto type = rule("type", "types = [\"admission\"]");
  const auto both = rule("both", "types = [\"admission\"]\ntiers = [4]");
  const auto tier4 = event_of({{"type", "admission"}, {"admission.tier", "4"}});
  const auto decides = [&](const std::string& text) {
    return rule_name(policy_of(text), "x", agency_with("A"), tier4);
  };
  CHECK(decides(wide + tier) == "tier");
  CHECK(decides(wide + tier + type) == "tier");
  CHECK(decides(wide + type + tier) == "type");
  CHECK(decides(wide + tier + type + both) == "both");
}

TEST_CASE("a policy of several files is one policy, and its faults name their own file") {
  const std::string agreements = kAgreed.substr(0, kAgreed.find("[[rule]]"));
  const std::string rules = kAgreed.substr(kAgreed.find("[[rule]]"));
  std::vector<ConfigFault> faults;
  const auto policy = Policy::parse(
      "#: policy file rules.toml\n" + rules + "#: policy file z.toml\n" + agreements, "p", 9, faults);
  REQUIRE(faults.empty());
  CHECK(policy.version() == 9);
  CHECK(policy.rules().size() == 1);
  CHECK(policy.agreements().size() == 1);
  // What stands before the first table of a file is not the table's before it.
  Policy::parse("#: policy file a.toml\n" + rules + "#: policy file b.toml\n\nshow = [\"*\"]\n" + agreements,
                "p", 9, faults);
  REQUIRE(faults.size() == 1);
  CHECK(to_string(faults[0]).starts_with("p/b.toml:2:1: unknown key `show`."));
  faults.clear();
  CHECK(Policy::parse("#: policy file a.toml\nx = '''\n#: policy file b.toml\n" + kAgreed, "p", 9, faults)
            .rules()
            .empty());
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].file == "p/a.toml");
}

TEST_CASE("in a text that an older hub recorded the first rule that fits decides, as it did then") {
  const std::string text =
      "[[rule]]\nname = \"wide\"\nrole = \"x\"\ntypes = [\"admission\", \"discharge\"]\nshow = [\"id\"]\n"
      "legal_basis = \"b\"\n[[rule]]\nname = \"narrow\"\nrole = \"x\"\ntypes = [\"admission\"]\n"
      "show = [\"occurred_at\"]\nlegal_basis = \"b\"\n";
  std::vector<ConfigFault> faults;
  const auto then = Policy::parse(text, "policy of entry 3", 3, faults);
  const auto now = Policy::parse(mark_policy(text), "policy.toml", 4, faults);
  REQUIRE(faults.empty());
  const auto admission = event_of({{"type", "admission"}});
  CHECK(rule_name(then, "x", agency_with("A"), admission) == "wide");
  CHECK(rule_name(now, "x", agency_with("A"), admission) == "narrow");
}
