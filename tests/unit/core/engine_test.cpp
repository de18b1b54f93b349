#include "broker/core/engine.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "broker/base/event_fields.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using wire::Outcome;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kSchool = EngineHarness::peer(3, "holm-school");

}  // namespace

TEST_CASE("an admission gets a receipt and reaches whom a rule lets see it, in one step") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  hub.subscribe(kSchool, "holm-notices", "school-pastoral");
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(EventSpec{}));
  auto received = hub.publish(kHospital, std::move(items));
  const auto published = frames_of<wire::PublishedT>(received);
  REQUIRE(published.size() == 1);
  CHECK(published.front().outcomes.front()->outcome == Outcome::receipt);
  const auto sequence = published.front().outcomes.front()->sequence;
  const auto to_council = deliveries_of(received, "council-duty-desk");
  const auto to_school = deliveries_of(received, "holm-notices");
  REQUIRE(to_council.size() == 1);
  REQUIRE(to_school.size() == 1);
  CHECK(to_council.front().sequence == sequence);
  CHECK(to_council.front().attempt == 1);
  CHECK(to_council.front().view != to_school.front().view);
  CHECK(hub.entries(storage::EntryKind::offered).size() == 3);

  auto again = hub.ack(kCouncil, "council-duty-desk", sequence);
  CHECK(again.empty());
  CHECK(hub.entries(storage::EntryKind::acked).size() == 1);
}

namespace {

std::optional<wire::RejectedT> rejection(std::vector<Received> received) {
  auto rejected = frames_of<wire::RejectedT>(received);
  if (rejected.empty()) return std::nullopt;
  return rejected.front();
}

wire::QueryT timeline_query(const std::string& role) {
  wire::QueryT query;
  query.number = 7;
  query.kind = wire::QueryKind::timeline;
  query.person = "nhs:" + test_nhs_number(1);
  query.role = role;
  query.by = "a.clerk";
  query.reason = "complaint 12";
  return query;
}

wire::HandleDeadLetterT handle(wire::DeadLetterAction action, Sequence sequence) {
  wire::HandleDeadLetterT frame;
  frame.number = 5;
  frame.action = action;
  frame.subscription = "council-duty-desk";
  frame.sequence = sequence;
  frame.by = "o.perator";
  frame.reason = "partner mended its table";
  return frame;
}

/// An event that the council has refused.
Sequence make_dead_letter(EngineHarness& hub) {
  hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  const auto sequence = hub.publish_one(kHospital, item_of(EventSpec{})).sequence;
  hub.nak(kCouncil, "council-duty-desk", sequence, ledger::NakKind::rejected);
  return sequence;
}

}  // namespace

TEST_CASE("the first start records the policy and the subscriptions, and the next one only what changed") {
  EngineHarness hub;
  CHECK(hub.entries(storage::EntryKind::policy_changed).size() == 1);
  CHECK(hub.entries(storage::EntryKind::subscription_changed).size() == 3);
  hub.restart();
  CHECK(hub.entries(storage::EntryKind::policy_changed).size() == 1);
  CHECK(hub.entries(storage::EntryKind::config_changed).size() == 1);
  CHECK(hub.entries(storage::EntryKind::subscription_changed).size() == 3);
  hub.rules.policy_text += "\n# changed\n";
  hub.rules.subscriptions[0].filter.tiers = {4};
  hub.rules.subscriptions.pop_back();
  hub.restart();
  CHECK(hub.entries(storage::EntryKind::policy_changed).size() == 2);
  const auto changes = hub.entries(storage::EntryKind::subscription_changed);
  REQUIRE(changes.size() == 5);
  CHECK(entry_of<ledger::SubscriptionChangedT>(changes[3].second).change ==
        ledger::SubscriptionChange::changed);
  CHECK(entry_of<ledger::SubscriptionChangedT>(changes[4].second).change ==
        ledger::SubscriptionChange::removed);
}

TEST_CASE("who had which codes and roles is on record, again at each start that changes it") {
  EngineHarness hub;
  const auto recorded = [&hub](std::size_t place) {
    return entry_of<ledger::ConfigChangedT>(hub.entries(storage::EntryKind::config_changed).at(place).second);
  };
  REQUIRE(hub.entries(storage::EntryKind::config_changed).size() == 1);
  CHECK(recorded(0).by == "configuration");
  CHECK(recorded(0).text.find("E10000099") != std::string::npos);
  std::ranges::reverse(hub.rules.agencies);
  hub.restart();
  hub.restart_without_state();
  CHECK(hub.entries(storage::EntryKind::config_changed).size() == 1);
  hub.rules.agencies.front().roles.push_back("another-role");
  hub.restart();
  REQUIRE(hub.entries(storage::EntryKind::config_changed).size() == 2);
  CHECK(recorded(1).text.find("another-role") != std::string::npos);
}

TEST_CASE("what was offered under a policy is shown under it at every attempt, whatever changed since") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  const auto place = hub.rules.policy_text.find(", \"person.nhs_number\", \"admission\"");
  REQUIRE(place != std::string::npos);
  hub.rules.policy_text.replace(place, 21, "");  // the duty desk loses the NHS number
  hub.restart();
  EventSpec later;
  later.child = 2;
  hub.publish_one(kHospital, item_of(later));
  auto received = hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  const auto got = deliveries_of(received, "council-duty-desk");
  REQUIRE(got.size() == 2);
  const auto number_in = [](const wire::DeliveryT& delivery) {
    const auto* event = verified_event(delivery.view);
    return event != nullptr && event->person() != nullptr && event->person()->nhs_number() != nullptr;
  };
  CHECK(number_in(got[0]));
  CHECK_FALSE(number_in(got[1]));
}

TEST_CASE("a role without a rule gets nothing, and the decision to withhold is recorded") {
  EngineHarness hub;
  EventSpec spec;
  spec.type = event::EventType::movement;
  hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(spec));
  auto received = hub.publish(kHospital, std::move(items));
  CHECK(deliveries_of(received, "council-duty-desk").empty());
  CHECK_FALSE(hub.entries(storage::EntryKind::withheld).empty());
  CHECK(hub.entries(storage::EntryKind::offered).empty());
}

TEST_CASE("a filter decides on the full event, before anything is withheld") {
  EngineHarness hub;
  EventSpec spec;
  spec.school_urn = "900202";
  hub.publish_one(kHospital, item_of(spec));
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::offered)) {
    CHECK(entry_of<ledger::OfferedT>(body).subscription != "holm-notices");
  }
  CHECK(hub.entries(storage::EntryKind::withheld).empty());
}

TEST_CASE("a subscription is its agency's, in its role, and not another's") {
  EngineHarness hub;
  CHECK(rejection(hub.subscribe(kSchool, "council-duty-desk", "social-care-duty"))->kind ==
        wire::ErrorKind::denied);
  CHECK(rejection(hub.subscribe(kCouncil, "mine", "auditor"))->kind == wire::ErrorKind::denied);
  CHECK(rejection(hub.subscribe(kCouncil, "council-duty-desk", "auditor"))->kind ==
        wire::ErrorKind::conflict);
  CHECK(rejection(hub.subscribe(kCouncil, "~mine", "social-care-duty"))->kind == wire::ErrorKind::invalid);
  CHECK(rejection(hub.subscribe(kCouncil, "", "social-care-duty"))->kind == wire::ErrorKind::invalid);
  CHECK_FALSE(rejection(hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty")));
  CHECK_FALSE(rejection(hub.subscribe(EngineHarness::operator_peer(9), "eyes", "auditor", 10, false)));
  CHECK(rejection(hub.subscribe(EngineHarness::operator_peer(9), "eyes", "no-such-role", 10, false)));
}

TEST_CASE("a subscription that a client made outlives its connection and a restart") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "night-team", "social-care-duty");
  hub.disconnect(2);
  const auto sequence = hub.publish_one(kHospital, item_of(EventSpec{})).sequence;
  hub.restart_without_state();
  auto received = hub.subscribe(kCouncil, "night-team", "social-care-duty");
  const auto got = deliveries_of(received, "night-team");
  REQUIRE(got.size() == 1);
  CHECK(got.front().sequence == sequence);
}

TEST_CASE("a subscription whose agency or role changed does not start under its old name") {
  EngineHarness hub;
  hub.rules.subscriptions[0].agency = "holm-school";
  CHECK(hub.start().error().kind == ErrorKind::invalid);
}

TEST_CASE("a policy that does not parse does not start") {
  EngineHarness hub;
  hub.rules.policy_text = "[[rule]]\nname = 3\n";
  const auto started = hub.start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().kind == ErrorKind::invalid);
  CHECK(started.error().text.find("policy.toml") != std::string::npos);
}

TEST_CASE("a question about a child is recorded before it is asked, with the person as a key") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  hub.send(kCouncil, timeline_query("social-care-duty"));
  REQUIRE(hub.asks.size() == 1);
  const auto accesses = hub.entries(storage::EntryKind::access);
  REQUIRE(accesses.size() == 1);
  const auto& access = entry_of<ledger::AccessT>(accesses[0].second);
  CHECK(access.by == "client-of-northmarch-council/a.clerk");
  CHECK(access.reason == "complaint 12");
  CHECK(access.person != nullptr);
  CHECK(access.what.find("999") == std::string::npos);
}

TEST_CASE("a question in a role that the asker does not have is refused, and not asked") {
  EngineHarness hub;
  auto received = hub.send(kCouncil, timeline_query("auditor"));
  const auto pages = frames_of<wire::PageT>(received);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].error == wire::ErrorKind::denied);
  CHECK(pages[0].number == 7);
  CHECK(hub.asks.empty());
  wire::ReplayT replay;
  replay.role = "auditor";
  auto refused = hub.send(kCouncil, std::move(replay));
  CHECK(frames_of<wire::ReplayedT>(refused).at(0).error == wire::ErrorKind::denied);
}

TEST_CASE("a dead letter that is sent again comes late, from its first attempt, and is recorded") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  auto received =
      hub.send(EngineHarness::operator_peer(9), handle(wire::DeadLetterAction::send_again, sequence));
  CHECK(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::unknown);
  auto got = deliveries_of(received, "council-duty-desk");
  REQUIRE(got.size() == 1);
  CHECK(got[0].sequence == sequence);
  CHECK(got[0].late);
  CHECK(got[0].attempt == 1);
  CHECK(hub.entries(storage::EntryKind::operator_action).size() == 1);
  auto twice =
      hub.send(EngineHarness::operator_peer(9), handle(wire::DeadLetterAction::send_again, sequence));
  CHECK(frames_of<wire::HandledT>(twice).at(0).error == wire::ErrorKind::not_found);
  hub.ack(kCouncil, "council-duty-desk", sequence);
}

TEST_CASE("a dead letter sent again while nobody listens is delivered late after a restart") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  hub.disconnect(2);
  hub.send(EngineHarness::operator_peer(9), handle(wire::DeadLetterAction::send_again, sequence));
  hub.restart_without_state();
  auto received = hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  const auto got = deliveries_of(received, "council-duty-desk");
  REQUIRE(got.size() == 1);
  CHECK(got[0].late);
}

TEST_CASE("a discarded dead letter is gone, and only an operator discards") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  auto denied = hub.send(kCouncil, handle(wire::DeadLetterAction::discard, sequence));
  CHECK(frames_of<wire::HandledT>(denied).at(0).error == wire::ErrorKind::denied);
  auto done = hub.send(EngineHarness::operator_peer(9), handle(wire::DeadLetterAction::discard, sequence));
  CHECK(frames_of<wire::HandledT>(done).at(0).error == wire::ErrorKind::unknown);
  auto again = hub.send(EngineHarness::operator_peer(9), handle(wire::DeadLetterAction::discard, sequence));
  CHECK(frames_of<wire::HandledT>(again).at(0).error == wire::ErrorKind::not_found);
}

TEST_CASE("a frame that only the hub sends is rejected") {
  EngineHarness hub;
  CHECK(rejection(hub.send(kCouncil, wire::WelcomeT()))->kind == wire::ErrorKind::invalid);
}

TEST_CASE("time never goes back in the ledger, whatever the clock does") {
  EngineHarness hub;
  const auto first = hub.publish_one(kHospital, item_of(EventSpec{}));
  hub.clock.advance_ms(-60'000);
  hub.restart();
  const auto second = hub.publish_one(kHospital, item_of(EventSpec{}));
  CHECK(second.appended_at >= first.appended_at);
}
