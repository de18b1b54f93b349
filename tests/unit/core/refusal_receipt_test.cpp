#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using wire::Outcome;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kTrust = EngineHarness::peer(2, "fenbrook-camhs");

wire::PublishItemT unmapped(const std::string& identity, const std::string& original = "MSH") {
  wire::PublishItemT item;
  item.channel = "elwick-adt";
  item.problem = std::make_unique<wire::ProblemT>();
  item.problem->code = "missing_field";
  item.problem->place = "PID-3";
  item.problem->text = "required";
  item.identity.assign(identity.begin(), identity.end());
  item.original.assign(original.begin(), original.end());
  return item;
}

std::size_t refusals(const EngineHarness& hub) { return hub.entries(storage::EntryKind::refusal).size(); }

}  // namespace

TEST_CASE(
    "a message that cannot be mapped and comes again gets its first refusal's receipt, and no new alarm") {
  EngineHarness hub;
  const auto first = hub.publish_one(kHospital, unmapped("MSG1"));
  hub.alarms.clear();
  hub.clock.advance_ms(90'000'000);
  const auto second = hub.publish_one(kHospital, unmapped("MSG1"));
  CHECK(second.outcome == Outcome::refused);
  CHECK(second.sequence == first.sequence);
  CHECK(second.appended_at == first.appended_at);
  CHECK(second.code == first.code);
  CHECK(second.place == first.place);
  CHECK(refusals(hub) == 1);
  CHECK_FALSE(hub.alarmed("message_refused"));
}

TEST_CASE("two copies of a bad message in one frame are one refusal") {
  EngineHarness hub;
  std::vector<wire::PublishItemT> items;
  items.push_back(unmapped("MSG1"));
  items.push_back(unmapped("MSG1"));
  auto received = hub.publish(kHospital, std::move(items));
  const auto published = frames_of<wire::PublishedT>(received);
  REQUIRE(published.at(0).outcomes.size() == 2);
  CHECK(published[0].outcomes[0]->sequence == published[0].outcomes[1]->sequence);
  CHECK(refusals(hub) == 1);
}

TEST_CASE("a refusal is known again after the hub died, and after its state was made again") {
  EngineHarness hub;
  const auto first = hub.publish_one(kHospital, unmapped("MSG1"));
  hub.restart(0);
  CHECK(hub.publish_one(kHospital, unmapped("MSG1")).sequence == first.sequence);
  hub.restart_without_state();
  CHECK(hub.publish_one(kHospital, unmapped("MSG1")).sequence == first.sequence);
  CHECK(refusals(hub) == 1);
}

TEST_CASE("another content, reason or channel under one identity is a refusal of its own") {
  EngineHarness hub;
  hub.publish_one(kHospital, unmapped("MSG1"));
  hub.publish_one(kHospital, unmapped("MSG1", "MSH other"));
  auto elsewhere = unmapped("MSG1");
  elsewhere.problem->place = "PV1-3";
  hub.publish_one(kHospital, std::move(elsewhere));
  auto trusts = unmapped("MSG1");
  trusts.channel = "fenbrook-adt";
  hub.publish_one(kTrust, std::move(trusts));
  CHECK(refusals(hub) == 4);
}

TEST_CASE("what has no identity is refused each time: nothing says that it is the same message") {
  EngineHarness hub;
  hub.publish_one(kHospital, unmapped(""));
  hub.publish_one(kHospital, unmapped(""));
  CHECK(refusals(hub) == 2);
}

TEST_CASE("what was refused and is permitted now is taken") {
  auto rules = EngineHarness::county();
  const auto permitted = rules.agencies;
  rules.agencies[0].may_publish.clear();
  EngineHarness hub(rules);
  const auto event = make_event({});
  CHECK(hub.publish_one(kHospital, item_of(event)).outcome == Outcome::refused);
  CHECK(hub.publish_one(kHospital, item_of(event)).outcome == Outcome::refused);
  CHECK(refusals(hub) == 1);
  hub.rules.agencies = permitted;
  hub.restart();
  CHECK(hub.publish_one(kHospital, item_of(event)).outcome == Outcome::receipt);
}
