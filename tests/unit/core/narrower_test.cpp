#include "broker/core/narrower.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::core;
using event::EventType;

namespace {

DisclosureRule rule_of(std::vector<EventType> types) {
  DisclosureRule rule;
  rule.role = "x";
  rule.types = std::move(types);
  rule.legal_basis = "b";
  return rule;
}

std::string rule_text(const std::string& name, const std::string& conditions,
                      const std::string& show = "id") {
  return "[[rule]]\nname = \"" + name + "\"\nrole = \"x\"\n" + conditions + "\nshow = [\"" + show +
         "\"]\nlegal_basis = \"b\"\n";
}

Policy policy_of(const std::string& text) {
  auto document = ConfigDocument::parse(text, "policy.toml");
  auto policy = Policy::read(document, 1);
  for (const auto& fault : document.faults()) FAIL(to_string(fault));
  return policy;
}

}  // namespace

TEST_CASE("a rule is narrower by each of its conditions") {
  const auto wide = rule_of({EventType::admission, EventType::discharge});
  const auto narrowed = [&wide](auto change) {
    auto rule = wide;
    change(rule);
    return is_narrower(rule, wide) && !is_narrower(wide, rule);
  };
  CHECK(narrowed([](auto& rule) { rule.types = {EventType::admission}; }));
  CHECK(narrowed([](auto& rule) { rule.tiers = {3, 4}; }));
  CHECK(narrowed([](auto& rule) { rule.age_min_years = 16; }));
  CHECK(narrowed([](auto& rule) { rule.age_max_years = 17; }));
  CHECK(narrowed([](auto& rule) { rule.relationships = {Relationship::pupil}; }));
  CHECK(narrowed([](auto& rule) { rule.agreement = "a"; }));
  CHECK_FALSE(narrowed([](auto&) {}));
  CHECK_FALSE(narrowed([](auto& rule) { rule.role = "y"; }));
  CHECK_FALSE(narrowed([](auto& rule) { rule.sees_restricted = bit_of(event::Restriction::adopted); }));
  auto seeing = wide;
  seeing.sees_restricted = bit_of(event::Restriction::sealed_record);
  CHECK(is_narrower(wide, seeing));
}

TEST_CASE("rules that are each narrower in another way are neither") {
  auto types = rule_of({EventType::admission});
  auto tiers = rule_of({EventType::admission, EventType::discharge});
  tiers.tiers = {4};
  CHECK_FALSE(is_narrower(types, tiers));
  CHECK_FALSE(is_narrower(tiers, types));
  auto pupil = types;
  pupil.relationships = {Relationship::pupil};
  auto patient = types;
  patient.relationships = {Relationship::patient};
  CHECK_FALSE(is_narrower(pupil, patient));
  auto young = types;
  young.age_max_years = 10;
  auto older = types;
  older.age_min_years = 5;
  CHECK_FALSE(is_narrower(young, older));
}

TEST_CASE("rules that may fit one event and show different things are found, with the one that decides") {
  const auto policy = policy_of(rule_text("wide", "types = [\"admission\", \"discharge\"]") +
                                rule_text("narrow", "types = [\"admission\"]", "occurred_at") +
                                rule_text("other", "types = [\"discharge\", \"movement\"]", "person"));
  const auto found = contradictions_in(policy);
  REQUIRE(found.size() == 2);
  CHECK(found[0].decides->name == "narrow");
  CHECK(found[0].other->name == "wide");
  CHECK(found[0].narrower);
  CHECK(found[1].decides->name == "wide");
  CHECK(found[1].other->name == "other");
  CHECK_FALSE(found[1].narrower);
}

TEST_CASE("rules that show the same, or never fit one event, do not contradict each other") {
  CHECK(contradictions_in(policy_of(rule_text("a", "types = [\"admission\", \"discharge\"]") +
                                    rule_text("b", "types = [\"admission\"]")))
            .empty());
  CHECK(contradictions_in(policy_of(rule_text("a", "types = [\"admission\"]\ntiers = [4]") +
                                    rule_text("b", "types = [\"admission\"]\ntiers = [3]", "person")))
            .empty());
  CHECK(contradictions_in(policy_of(rule_text("a", "types = [\"admission\"]\nage_max = 16") +
                                    rule_text("b", "types = [\"admission\"]\nage_min = 16", "person")))
            .empty());
}
