#include "broker/core/rule_reader.hpp"

#include <catch2/catch.hpp>

#include "broker/core/narrower.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

std::string rule_with(const std::string& keys) {
  return "[[rule]]\nname = \"r\"\nrole = \"x\"\ntypes = [\"admission\"]\n" + keys +
         "\nshow = [\"person\"]\nlegal_basis = \"b\"\n";
}

std::vector<std::string> faults_in(const std::string& text) {
  std::vector<ConfigFault> faults;
  const auto policy = Policy::parse(text, "policy.toml", 1, faults);
  std::vector<std::string> texts;
  for (const auto& fault : faults) texts.push_back(to_string(fault));
  // A rule with a fault decides nothing.
  if (!faults.empty()) CHECK(policy.rules().empty());
  return texts;
}

std::string one_fault(const std::string& keys) {
  const auto faults = faults_in(rule_with(keys));
  INFO(keys);
  REQUIRE(faults.size() == 1);
  return faults[0];
}

DisclosureRule read(const std::string& keys, const std::string& top = "") {
  std::vector<ConfigFault> faults;
  const auto policy = Policy::parse(top + rule_with(keys), "policy.toml", 1, faults);
  for (const auto& fault : faults) FAIL(to_string(fault));
  return policy.rules().at(0);
}

event::EventT event_of(int child) {
  fakes::EventSpec spec;
  spec.child = child;
  return fakes::make_event(spec);
}

event::EventT child_born(int year) {
  fakes::EventSpec spec;
  spec.birth_year = year;
  spec.occurred_at_us = 1'777'593'600'000'000;  // 2026-05-01
  auto event = fakes::make_event(spec);
  auto contact = std::make_unique<event::ContactT>();
  contact->name = std::make_unique<event::NameT>();
  contact->name->family = "Mother";
  auto theirs = std::make_unique<event::TelecomT>();
  theirs->value = "01000";
  contact->telecoms.push_back(std::move(theirs));
  event.person->contacts.push_back(std::move(contact));
  auto own = std::make_unique<event::TelecomT>();
  own->value = "07000";
  event.person->telecoms.push_back(std::move(own));
  return event;
}

std::unique_ptr<event::EventT> seen(const event::EventT& event, const DisclosureRule& rule,
                                    const storage::SecretKey& key = {}) {
  const auto bytes = fakes::pack_event(event);
  const auto view = redact(*verified_event(bytes), rule, 0, key);
  REQUIRE(view);
  return std::unique_ptr<event::EventT>(verified_event(*view)->UnPack());
}

}  // namespace

TEST_CASE("what a rule asks of the child's record is read") {
  const auto rule = read(
      "relationship = [\"referral\", \"pupil\", \"pupil\"]\nhome_authorities = [\"E2\", \"E1\"]\n"
      "consent = \"given\"\nconsent_scopes = [\"care\"]\nbreak_glass_minutes = 90\naddressee_only = true",
      "young_person_from = 16\n");
  CHECK(rule.relationships == std::vector{Relationship::pupil, Relationship::referral});
  CHECK(rule.home_authorities == std::vector<std::string>{"E1", "E2"});
  CHECK(rule.consent == ConsentNeed::given);
  CHECK(rule.consent_scopes == std::vector<std::string>{"care"});
  CHECK(rule.break_glass_minutes == 90);
  CHECK(rule.young_person_from == 16);
  CHECK(rule.addressee_only);
  CHECK(read("").consent == ConsentNeed::not_refused);
  CHECK(read("relationship = \"any\"").relationships.empty());
  CHECK(read("relationship = \"key_worker\"").relationships == std::vector{Relationship::key_worker});
}

TEST_CASE("every fault in what a rule asks of the child's record is named with its place and a remedy") {
  CHECK(one_fault("relationship = [\"pupil\", \"any\"]").find("unknown relationship `any`") !=
        std::string::npos);
  CHECK(one_fault("relationship = []").find("relationship names none") != std::string::npos);
  CHECK(one_fault("consent = \"refused\"").find("policy.toml:5:11: unknown need of consent `refused`") == 0);
  CHECK(one_fault("consent = 1").find("wants a text") != std::string::npos);
  CHECK(one_fault("consent = \"given\"").find("Add consent_scopes") != std::string::npos);
  CHECK(one_fault("consent = \"overridden\"\nconsent_scopes = [\"a\"]").find("policy.toml:6:18") == 0);
  CHECK(one_fault("consent_scopes = []").find("names none") != std::string::npos);
  CHECK(one_fault("home_authorities = [\"\"]").find("empty text") != std::string::npos);
  CHECK(one_fault("break_glass_minutes = 0").find("break_glass_minutes") != std::string::npos);
  CHECK(one_fault("break_glass_minutes = 1441").find("1440") != std::string::npos);
  CHECK(one_fault("addressee_only = true").find("young_person_from = 16") != std::string::npos);
  CHECK(one_fault("addressee_only = \"yes\"").find("true or false") != std::string::npos);
}

TEST_CASE("a policy of several files has one age from which the young person is written to") {
  const std::string rules = rule_with("addressee_only = true");
  // In whichever file it stands.
  std::vector<ConfigDocument> documents;
  documents.push_back(ConfigDocument::parse(rules, "a.toml"));
  documents.push_back(ConfigDocument::parse("young_person_from = 16\n", "b.toml"));
  CHECK(Policy::read(documents, 1).rules().size() == 1);
  documents.push_back(ConfigDocument::parse("young_person_from = 14\n", "c.toml"));
  documents[0] = ConfigDocument::parse(rules, "a.toml");
  documents[1] = ConfigDocument::parse("young_person_from = 16\n", "b.toml");
  Policy::read(documents, 1);
  REQUIRE(documents[2].faults().size() == 1);
  CHECK(to_string(documents[2].faults()[0]).find("c.toml:1:") == 0);
}

TEST_CASE("the stricter on consent, the glass and the authority is narrower") {
  const auto wide = read("");
  CHECK(is_narrower(read("consent = \"given\"\nconsent_scopes = [\"a\"]"), wide));
  CHECK(is_narrower(wide, read("consent = \"overridden\"")));
  CHECK(is_narrower(wide, read("consent_scopes = [\"a\"]")));
  CHECK(is_narrower(read("consent_scopes = [\"a\", \"b\"]"), read("consent_scopes = [\"a\"]")));
  CHECK(is_narrower(read("consent = \"given\"\nconsent_scopes = [\"a\"]"),
                    read("consent = \"given\"\nconsent_scopes = [\"a\", \"b\"]")));
  CHECK(is_narrower(read("break_glass_minutes = 9"), wide));
  CHECK_FALSE(is_narrower(read("break_glass_minutes = 9"), read("break_glass_minutes = 10")));
  CHECK(is_narrower(read("home_authorities = [\"E1\"]"), wide));
  CHECK(is_narrower(read("relationship = \"pupil\""), read("relationship = [\"pupil\", \"patient\"]")));
  CHECK_FALSE(is_narrower(read("relationship = [\"pupil\", \"patient\"]"), read("relationship = \"pupil\"")));
}

TEST_CASE("only those to whom one writes are shown: parents before the age, the young person from it") {
  const auto rule = read("addressee_only = true", "young_person_from = 16\n");
  const auto child = seen(child_born(2012), rule);
  REQUIRE(child->person->contacts.size() == 1);
  CHECK(child->person->contacts[0]->telecoms.size() == 1);
  CHECK(child->person->telecoms.empty());
  const auto young_person = seen(child_born(2008), rule);
  CHECK(young_person->person->contacts.empty());
  CHECK(young_person->person->telecoms.size() == 1);
  // Whose age is not certain gets no letter by a guess.
  auto unknown = child_born(2010);
  unknown.person->birth_date = std::make_unique<event::Date>(static_cast<std::int16_t>(2010), 0, 0);
  const auto nobody = seen(unknown, rule);
  CHECK(nobody->person->contacts.empty());
  CHECK(nobody->person->telecoms.empty());
  CHECK(seen(child_born(2008), read(""))->person->contacts.size() == 1);
}

TEST_CASE("a pseudonym is the same for the same value in one role, and another in another role or hub") {
  auto rule = read("");
  rule.show.clear();
  rule.coarsen = {{*FieldPath::parse("person.nhs_number"), Coarsening::pseudonymised, ""},
                  {*FieldPath::parse("person.names[].family"), Coarsening::pseudonymised, ""}};
  const auto one = seen(event_of(1), rule);
  const auto number = fakes::test_nhs_number(1);
  CHECK(one->person->nhs_number.size() == 32);
  CHECK(one->person->nhs_number.find(number) == std::string::npos);
  CHECK(seen(event_of(1), rule)->person->nhs_number == one->person->nhs_number);
  CHECK(seen(event_of(2), rule)->person->nhs_number != one->person->nhs_number);
  CHECK(seen(event_of(1), rule, storage::SecretKey(std::array<std::uint8_t, 32>{1}))->person->nhs_number !=
        one->person->nhs_number);
  rule.role = "y";
  CHECK(seen(event_of(1), rule)->person->nhs_number != one->person->nhs_number);
  auto none = event_of(1);
  none.person->nhs_number.clear();
  const auto view = seen(none, rule);
  CHECK((view->person == nullptr || view->person->nhs_number.empty()));
}

TEST_CASE("a pseudonym needs a text, and the envelope has none") {
  const auto fault = [](const std::string& path) {
    return one_fault("coarsen = [{ path = \"" + path + "\", how = \"pseudonymised\" }]");
  };
  CHECK(fault("person.birth_date").find("It needs a text") != std::string::npos);
  CHECK(fault("source_agency").find("The envelope") != std::string::npos);
  CHECK(read("coarsen = [{ path = \"person.names[].family\", how = \"pseudonymised\" }]").coarsen.size() ==
        1);
}
