#include "broker/care/child_facts_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/policy.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::care;
using fakes::EngineHarness;
using fakes::EventSpec;

namespace {

PersonKey person_of(EngineHarness& hub, int child) {
  const auto hash = core::identifier_hash(hub.vault.index_key(), "nhs:" + fakes::test_nhs_number(child));
  return *(*hub.state->linked({hash}))[0];
}

std::vector<core::ChildFact> facts_of(EngineHarness& hub, int child) {
  return *hub.state->child_facts(person_of(hub, child));
}

event::EventT admission(int child) {
  EventSpec spec;
  spec.child = child;
  return fakes::make_event(spec);
}

event::EventT consent(int child, event::ConsentDecision decision) {
  EventSpec spec;
  spec.child = child;
  spec.type = event::EventType::consent;
  auto event = fakes::make_event(spec);
  event.consent = std::make_unique<event::ConsentT>();
  event.consent->decision = decision;
  return event;
}

struct Hub {
  EngineHarness hub;
  core::Peer hospital = EngineHarness::peer(1, "elwick-hospital");

  explicit Hub(core::HubRules rules = EngineHarness::county()) : hub(std::move(rules)) {
    for (auto& agency : hub.rules.agencies) {
      if (agency.id == "elwick-hospital") {
        agency.may_publish.push_back(event::EventType::consent);
      }
    }
    REQUIRE(hub.start());
  }
  Sequence publish(const event::EventT& event) {
    const auto outcome = hub.publish_one(hospital, fakes::item_of(event));
    INFO(outcome.text);
    REQUIRE(outcome.outcome == wire::Outcome::receipt);
    hub.pass_ms(1);
    return outcome.sequence;
  }
  Sequence publish(int child) { return publish(admission(child)); }
};

}  // namespace

TEST_CASE("what an event says of a child is known to the next decision, and to a hub that lost its state") {
  Hub hub;
  hub.publish(1);
  const auto before = facts_of(hub.hub, 1);
  REQUIRE_FALSE(before.empty());
  CHECK(before.front().kind == core::ChildFactKind::school);
  hub.publish(consent(1, event::ConsentDecision::refused));
  CHECK(facts_of(hub.hub, 1).size() == before.size() + 1);
  const auto all = facts_of(hub.hub, 1);
  hub.hub.restart_without_state();
  CHECK(facts_of(hub.hub, 1) == all);
}

TEST_CASE("dissent stops the next delivery from the moment of its entry, and what was offered before stays") {
  Hub hub;
  const auto council = EngineHarness::peer(2, "northmarch-council");
  hub.hub.subscribe(council, "duty", "social-care-duty");
  const auto offered = hub.publish(1);
  hub.publish(consent(1, event::ConsentDecision::refused));
  const auto withheld = hub.publish(1);
  CHECK(*hub.hub.state->was_offered("duty", offered));
  CHECK_FALSE(*hub.hub.state->was_offered("duty", withheld));
  bool said = false;
  for (const auto& [sequence, body] : hub.hub.entries(storage::EntryKind::withheld)) {
    const auto& entry = fakes::entry_of<ledger::WithheldT>(body);
    for (const auto& range : entry.ranges)
      said = said ||
             (range.first() <= withheld && withheld <= range.last() && entry.rule == core::kConsentRefused);
  }
  CHECK(said);
  // Not taken before the hub died: decided when it was offered, so it comes all the same.
  hub.hub.restart();
  auto received = hub.hub.subscribe(council, "duty", "social-care-duty");
  auto delivers = fakes::frames_of<wire::DeliverT>(received);
  REQUIRE_FALSE(delivers.empty());
  CHECK(delivers.front().deliveries.front()->sequence == offered);
}

TEST_CASE("dissent that is said while the clock is behind counts at once") {
  Hub hub;
  hub.hub.subscribe(EngineHarness::peer(2, "northmarch-council"), "duty", "social-care-duty");
  hub.publish(1);
  hub.hub.clock.set({hub.hub.clock.now().us - 3600 * kSecondUs});
  hub.hub.restart();
  hub.publish(consent(1, event::ConsentDecision::refused));
  const auto withheld = hub.publish(1);
  CHECK_FALSE(*hub.hub.state->was_offered("duty", withheld));
  hub.publish(consent(1, event::ConsentDecision::given));
  const auto offered = hub.publish(1);
  CHECK(*hub.hub.state->was_offered("duty", offered));
}

TEST_CASE("nothing of what is known of a child stands in the state in clear") {
  Hub hub;
  auto event = admission(1);
  event.person->school->code = "777123";
  hub.publish(event);
  REQUIRE(hub.hub.state->flush());
  bool found = false;
  for (const auto& row : EngineHarness::rows(hub.hub.store)) {
    CHECK(row.value.find("777123") == std::string::npos);
    found = found || row.key == row_keys::child_facts(person_of(hub.hub, 1));
  }
  CHECK(found);
}

TEST_CASE("an erasure takes what is known of the child along") {
  Hub hub;
  hub.publish(1);
  const auto person = person_of(hub.hub, 1);
  wire::EraseT frame;
  frame.person = "nhs:" + fakes::test_nhs_number(1);
  frame.by = "an operator";
  frame.reason = "asked for";
  const auto erased = hub.hub.erase(EngineHarness::operator_peer(9), frame);
  CHECK(erased.error == wire::ErrorKind::unknown);
  CHECK(hub.hub.state->child_facts(person)->empty());
  REQUIRE(hub.hub.state->flush());
  for (const auto& row : EngineHarness::rows(hub.hub.store)) CHECK(row.key != row_keys::child_facts(person));
}

TEST_CASE("a state that was begun without what is known of children is not gone on with") {
  Hub hub;
  hub.publish(1);
  REQUIRE(hub.hub.state->flush());
  REQUIRE(hub.hub.store.apply({{row_keys::child_facts_kept(), std::nullopt}}, hub.hub.store.applied()));
  care::State again(hub.hub.store, hub.hub.ledger, *hub.hub.sealer);
  const auto caught_up = again.catch_up({});
  REQUIRE_FALSE(caught_up);
  CHECK(caught_up.error().text.find("carehub rebuild") != std::string::npos);
}

TEST_CASE("a row that was moved under another child's name does not open") {
  Hub hub;
  hub.publish(1);
  hub.publish(2);
  const auto one = person_of(hub.hub, 1);
  const auto key = KeyId{hub.hub.state->person(one)->value().key_id};
  const auto sealed = hub.hub.sealer->seal_row(key, "a", "plain");
  REQUIRE(sealed);
  CHECK(*hub.hub.sealer->open_row(key, "a", *sealed) == "plain");
  CHECK(hub.hub.sealer->open_row(key, "b", *sealed).error().kind == ErrorKind::corrupt);
  CHECK(*hub.hub.sealer->seal_row(key, "a", "plain") == *sealed);
  CHECK(*hub.hub.sealer->seal_row(key, "a", "other") != *sealed);
}
