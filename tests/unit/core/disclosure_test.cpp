#include "broker/core/disclosure.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;
using namespace carehub::fakes;

namespace {

constexpr const char* kRole = "social-care-duty";
constexpr const char* kCouncil = "northmarch-council";

std::string rule_that_shows(const std::string& fields) {
  return "[[rule]]\nname = \"desk\"\nrole = \"social-care-duty\"\ntypes = [\"admission\"]\nshow = [" +
         fields + "]\nlegal_basis = \"Children Act 2004 s.10\"\n";
}

/// What the hub discloses by, with version 1 showing the NHS number and version 5 only the tier.
Disclosure two_policies(const EngineHarness& hub) {
  Disclosure disclosure(hub.rules.agencies, hub.vault.index_key());
  disclosure.add_policy(*Disclosure::parse_policy(rule_that_shows("\"admission.tier\""), "p", 5));
  disclosure.add_policy(*Disclosure::parse_policy(rule_that_shows("\"person.nhs_number\""), "p", 1));
  return disclosure;
}

Pending decided(Sequence sequence, std::uint64_t policy_version) {
  Pending pending;
  pending.sequence = sequence;
  pending.policy_version = policy_version;
  return pending;
}

Sequence publish(EngineHarness& hub, event::EventType type = event::EventType::admission) {
  EventSpec spec;
  spec.type = type;
  return hub.publish_one(EngineHarness::peer(1, "elwick-hospital"), item_of(spec)).sequence;
}

}  // namespace

TEST_CASE("the policy of the highest version is current, however they were loaded") {
  EngineHarness hub;
  CHECK(two_policies(hub).current().version() == 5);
}

TEST_CASE("an event is read back under the policy that it was offered under") {
  EngineHarness hub;
  const auto disclosure = two_policies(hub);
  const auto sequence = publish(hub);
  const auto older = disclosure.view(*hub.state, decided(sequence, 1), kRole, kCouncil);
  const auto newer = disclosure.view(*hub.state, decided(sequence, 5), kRole, kCouncil);
  REQUIRE(older);
  REQUIRE(newer);
  CHECK(verified_event((*older)->event)->person()->nhs_number() != nullptr);
  CHECK(verified_event((*newer)->event)->person() == nullptr);
  CHECK((*newer)->legal_basis == "Children Act 2004 s.10");
}

TEST_CASE("a policy that is not there shows nothing, and neither does a role without a rule") {
  EngineHarness hub;
  const auto disclosure = two_policies(hub);
  const auto bytes = pack_event(make_event({}));
  const auto& event = *verified_event(bytes);
  CHECK(disclosure.rule(1, kRole, kCouncil, event, {}, {}) != nullptr);
  CHECK(disclosure.rule(2, kRole, kCouncil, event, {}, {}) == nullptr);
  CHECK(disclosure.rule(1, "school-pastoral", kCouncil, event, {}, {}) == nullptr);
}

TEST_CASE("an agency that is not configured is nobody's school, practice or home") {
  EngineHarness hub;
  const Disclosure disclosure(hub.rules.agencies, hub.vault.index_key());
  CHECK(disclosure.agency(kCouncil).codes.size() == 1);
  CHECK(disclosure.agency("left-last-year").codes.empty());
  CHECK(disclosure.agency("left-last-year").roles.empty());
}

TEST_CASE("a faulty policy is refused with its place") {
  const auto parsed = Disclosure::parse_policy(rule_that_shows("\"person.shoe_size\""), "policy.toml", 1);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().kind == ErrorKind::invalid);
  CHECK(parsed.error().text.find("policy.toml:5:") != std::string::npos);
}

TEST_CASE(
    "no view is made of an event that no rule shows, nor of one that was erased or whose key the vault has "
    "lost") {
  EngineHarness hub;
  const auto disclosure = two_policies(hub);
  const auto lost = publish(hub);
  const auto unshown = publish(hub, event::EventType::movement);
  CHECK(disclosure.view(*hub.state, decided(unshown, 1), kRole, kCouncil).error().kind ==
        ErrorKind::not_found);
  const auto key = hub.ledger.read(lost, 1, 1)->front().header.key_id;
  REQUIRE(hub.vault.destroy({key}));
  CHECK(disclosure.view(*hub.state, decided(lost, 1), kRole, kCouncil).error().kind == ErrorKind::not_found);
  hub.vault.lose(key);
  CHECK(disclosure.view(*hub.state, decided(lost, 1), kRole, kCouncil).error().kind == ErrorKind::corrupt);
}

TEST_CASE("an entry that was offered and is no event stops the hub, named by its number") {
  EngineHarness hub;
  const auto disclosure = two_policies(hub);
  const auto view = disclosure.view(*hub.state, decided(1, 1), kRole, kCouncil);
  REQUIRE_FALSE(view);
  CHECK(view.error().kind == ErrorKind::corrupt);
  CHECK(view.error().text.find("entry 1 ") != std::string::npos);
}

TEST_CASE("bytes of views are counted while somebody holds them") {
  EngineHarness hub;
  const auto disclosure = two_policies(hub);
  const auto sequence = publish(hub);
  auto one = *disclosure.view(*hub.state, decided(sequence, 1), kRole, kCouncil);
  auto same = one;
  CHECK(disclosure.held_bytes() == one->event.size());
  one.reset();
  CHECK(disclosure.held_bytes() == same->event.size());
  same.reset();
  CHECK(disclosure.held_bytes() == 0);
}

TEST_CASE("what is larger than may be delivered is no view, wherever it would go") {
  const auto bytes = pack_event(make_event({}));
  core::DisclosureRule rule;
  core::CoarsenedField name;
  name.how = core::Coarsening::replaced;
  name.path = *FieldPath::parse("admission.reason_text");
  name.replacement = std::string(limits::kDeliverBytesMax, 'x');
  rule.coarsen.push_back(name);
  const auto view = core::deliverable(*verified_event(bytes), rule, 0, storage::SecretKey(), 7);
  REQUIRE_FALSE(view);
  CHECK(view.error().kind == ErrorKind::invalid);
  CHECK(view.error().text.find("entry 7 ") != std::string::npos);
}
