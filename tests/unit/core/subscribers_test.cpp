#include "broker/core/subscribers.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::SubscriptionChange;
using storage::EntryKind;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kSchool = EngineHarness::peer(3, "holm-school");
constexpr const char* kRole = "social-care-duty";

std::optional<wire::ErrorKind> rejection(std::vector<Received> received) {
  auto rejected = frames_of<wire::RejectedT>(received);
  if (rejected.empty()) return std::nullopt;
  return rejected.front().kind;
}

std::vector<Received> subscribe(EngineHarness& hub, const core::Peer& peer, const std::string& name,
                                ledger::FilterT filter) {
  wire::SubscribeT subscribe;
  subscribe.name = name;
  subscribe.role = kRole;
  subscribe.credit = 10;
  subscribe.filter = std::make_unique<ledger::FilterT>(std::move(filter));
  return hub.send(peer, std::move(subscribe));
}

std::vector<Received> unsubscribe(EngineHarness& hub, const core::Peer& peer, const std::string& name) {
  wire::UnsubscribeT frame;
  frame.name = name;
  return hub.send(peer, std::move(frame));
}

ledger::FilterT only(event::EventType type) {
  ledger::FilterT filter;
  filter.types = {type};
  return filter;
}

std::size_t delivered(std::vector<Received> received, const std::string& name) {
  return deliveries_of(received, name).size();
}

std::vector<Received> admit(EngineHarness& hub, int child = 1) {
  EventSpec spec;
  spec.child = child;
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(spec));
  return hub.publish(kHospital, std::move(items));
}

ledger::SubscriptionChangedT last_change(const EngineHarness& hub) {
  auto entries = hub.entries(EntryKind::subscription_changed);
  return entry_of<ledger::SubscriptionChangedT>(entries.back().second);
}

}  // namespace

TEST_CASE("a name that is configured twice does not start, and says which") {
  EngineHarness hub;
  hub.rules.subscriptions.push_back(hub.rules.subscriptions.front());
  const auto started = hub.start();
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::invalid);
  CHECK(started.error().text.find("council-duty-desk") != std::string::npos);
}

TEST_CASE("a client's filter changes with its Subscribe, is recorded once, and outlives a restart") {
  EngineHarness hub;
  subscribe(hub, kCouncil, "night-team", only(event::EventType::discharge));
  const auto before = hub.entries(EntryKind::subscription_changed).size();
  CHECK(delivered(admit(hub), "night-team") == 0);
  subscribe(hub, kCouncil, "night-team", only(event::EventType::admission));
  subscribe(hub, kCouncil, "night-team", only(event::EventType::admission));
  CHECK(hub.entries(EntryKind::subscription_changed).size() == before + 1);
  CHECK(last_change(hub).change == SubscriptionChange::changed);
  CHECK(last_change(hub).by == "client client-of-northmarch-council");
  CHECK(delivered(admit(hub), "night-team") == 1);
  hub.restart_without_state();
  hub.subscribe(kCouncil, "night-team", kRole);
  CHECK(delivered(admit(hub, 2), "night-team") == 1);
}

TEST_CASE("a filter that the configuration set is not a client's to change") {
  EngineHarness hub;
  const auto before = hub.entries(EntryKind::subscription_changed).size();
  CHECK_FALSE(rejection(subscribe(hub, kCouncil, "council-duty-desk", only(event::EventType::discharge))));
  CHECK(hub.entries(EntryKind::subscription_changed).size() == before);
  CHECK(delivered(admit(hub), "council-duty-desk") == 1);
}

TEST_CASE("a client's subscription that the configuration takes over is the configuration's from then on") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "night-team", kRole);
  auto configured = hub.rules.subscriptions.front();
  configured.name = "night-team";
  hub.rules.subscriptions.push_back(configured);
  hub.restart();
  CHECK(last_change(hub).change == SubscriptionChange::changed);
  CHECK(last_change(hub).by == core::kByConfiguration);
  hub.rules.subscriptions.pop_back();
  hub.restart();
  CHECK(last_change(hub).change == SubscriptionChange::removed);
}

TEST_CASE("a channel that is taken out and put back goes on where it was") {
  EngineHarness hub;
  const auto configured = hub.rules.subscriptions.front();
  admit(hub);
  hub.rules.subscriptions.erase(hub.rules.subscriptions.begin());
  hub.restart();
  CHECK(rejection(hub.subscribe(kSchool, "council-duty-desk", kRole)) == wire::ErrorKind::denied);
  hub.rules.subscriptions.push_back(configured);
  hub.restart();
  CHECK(delivered(hub.subscribe(kCouncil, "council-duty-desk", kRole), "council-duty-desk") == 1);
}

TEST_CASE("an agency that loses a role loses the subscriptions that it made in it") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "night-team", kRole);
  admit(hub);
  for (auto& agency : hub.rules.agencies) {
    if (agency.id == "northmarch-council") agency.roles.clear();
  }
  hub.restart();
  auto received = hub.subscribe(kCouncil, "night-team", kRole);
  CHECK(deliveries_of(received, "night-team").empty());
  CHECK(rejection(std::move(received)) == wire::ErrorKind::denied);
}

TEST_CASE("a name that could forge a log line or pass for a watch or a replay is refused") {
  EngineHarness hub;
  for (const char* name : {"two\nlines", "Jo Ashdown", "~watch", "desk@2", "desk/replay-7", "-x", ""}) {
    for (const bool durable : {true, false}) {
      auto received = hub.subscribe(kCouncil, name, kRole, 16, durable);
      REQUIRE(frames_of<wire::RejectedT>(received).size() == 1);
    }
  }
  CHECK(hub.entries(storage::EntryKind::subscription_changed).size() == hub.rules.subscriptions.size());
}

TEST_CASE("a name or a filter beyond its bound is refused, and its text is not thrown back whole") {
  EngineHarness hub;
  auto received = hub.subscribe(kCouncil, std::string(100'000, 'n'), kRole);
  const auto rejected = frames_of<wire::RejectedT>(received);
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].kind == wire::ErrorKind::invalid);
  CHECK(rejected[0].text.size() < limits::kErrorTextBytesMax);
  CHECK(rejection(hub.subscribe(kCouncil, "a@b", kRole)) == wire::ErrorKind::invalid);
  ledger::FilterT large;
  large.schools.assign(1, std::string(70'000, 's'));
  CHECK(rejection(subscribe(hub, kCouncil, "night-team", large)) == wire::ErrorKind::invalid);
}

TEST_CASE("the hub takes so many subscriptions and no more, and keeps serving those it has") {
  EngineHarness hub;
  for (std::size_t at = hub.rules.subscriptions.size(); at < limits::kSubscriptionsMax; ++at) {
    REQUIRE_FALSE(rejection(hub.subscribe(kCouncil, "desk-" + std::to_string(at), kRole, 1, false)));
  }
  CHECK(rejection(hub.subscribe(kCouncil, "one-more", kRole)) == wire::ErrorKind::overloaded);
  CHECK_FALSE(rejection(hub.subscribe(kCouncil, "council-duty-desk", kRole)));
}

TEST_CASE("who unsubscribes gets nothing more, and everything when it comes back") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "council-duty-desk", kRole);
  CHECK_FALSE(rejection(unsubscribe(hub, kCouncil, "council-duty-desk")));
  CHECK(delivered(admit(hub), "council-duty-desk") == 0);
  CHECK(delivered(hub.subscribe(kCouncil, "council-duty-desk", kRole), "council-duty-desk") == 1);
}

TEST_CASE("nobody ends what is not its connection's") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "council-duty-desk", kRole);
  CHECK(rejection(unsubscribe(hub, kSchool, "council-duty-desk")) == wire::ErrorKind::not_found);
  CHECK(rejection(unsubscribe(hub, kCouncil, "no-such-desk")) == wire::ErrorKind::not_found);
  CHECK(delivered(admit(hub), "council-duty-desk") == 1);
}

TEST_CASE("two connections may watch under one label, and one that ends leaves the other") {
  EngineHarness hub;
  const auto colleague = EngineHarness::peer(8, "northmarch-council");
  hub.subscribe(kCouncil, "eyes", kRole, 10, false);
  hub.subscribe(colleague, "eyes", kRole, 10, false);
  CHECK(delivered(admit(hub), "eyes") == 2);
  unsubscribe(hub, kCouncil, "eyes");
  auto received = admit(hub, 2);
  CHECK(received.back().to == 8);
  CHECK(delivered(std::move(received), "eyes") == 1);
}
