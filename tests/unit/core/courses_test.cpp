#include "broker/core/courses.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::SubscriptionChange;
using storage::EntryKind;
using wire::Position;
using wire::SubscriptionAction;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kRole = "social-care-duty";

wire::HandleSubscriptionT handling(SubscriptionAction action, const std::string& name = kDesk) {
  wire::HandleSubscriptionT frame;
  frame.number = 3;
  frame.action = action;
  frame.subscription = name;
  frame.by = "o.perator";
  frame.reason = "their server moves house";
  return frame;
}

wire::HandleSubscriptionT resetting(Position position, Sequence sequence = 0, std::int64_t at = 0) {
  auto frame = handling(SubscriptionAction::reset);
  frame.position = position;
  frame.sequence = sequence;
  frame.at = at;
  return frame;
}

wire::ErrorKind answer_to(EngineHarness& hub, wire::HandleSubscriptionT frame,
                          const core::Peer& peer = kOperator) {
  auto received = hub.send(peer, std::move(frame));
  const auto handled = frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  CHECK(handled.front().number == 3);
  return handled.front().error;
}

bool done(EngineHarness& hub, wire::HandleSubscriptionT frame) {
  return answer_to(hub, std::move(frame)) == wire::ErrorKind::unknown;
}

Sequence admit(EngineHarness& hub, int child) {
  EventSpec spec;
  spec.child = child;
  return hub.publish_one(kHospital, item_of(spec)).sequence;
}

std::vector<wire::DeliveryT> attach(EngineHarness& hub) {
  auto received = hub.subscribe(kCouncil, kDesk, kRole);
  return deliveries_of(received, kDesk);
}

std::vector<Sequence> numbers(const std::vector<wire::DeliveryT>& deliveries) {
  std::vector<Sequence> sequences;
  for (const auto& delivery : deliveries) sequences.push_back(delivery.sequence);
  return sequences;
}

/// Steps until nothing is on its way, and what was delivered meanwhile.
std::vector<wire::DeliveryT> settle(EngineHarness& hub) {
  std::vector<wire::DeliveryT> all;
  for (int step = 0; step < 50; ++step) {
    auto received = hub.step();
    for (auto& one : deliveries_of(received, kDesk)) all.push_back(std::move(one));
    if (hub.due > hub.clock.now()) break;
  }
  return all;
}

std::size_t changes(const EngineHarness& hub, SubscriptionChange change) {
  std::size_t count = 0;
  for (const auto& [sequence, body] : hub.entries(EntryKind::subscription_changed)) {
    if (entry_of<ledger::SubscriptionChangedT>(body).change == change) ++count;
  }
  return count;
}

std::size_t pending(const EngineHarness& hub, const char* name = kDesk) {
  return hub.state->pending(name, 0, 10'000)->size();
}

/// The live rows, and those that a rebuild makes.
void check_rebuilt(EngineHarness& hub) {
  hub.restart();
  const auto live = EngineHarness::rows(hub.store);
  hub.restart_without_state();
  const auto again = EngineHarness::rows(hub.store);
  REQUIRE(live.size() == again.size());
  for (std::size_t row = 0; row < live.size(); ++row) {
    CHECK(live[row].key == again[row].key);
    CHECK(live[row].value == again[row].value);
  }
}

}  // namespace

TEST_CASE("a paused subscription gathers what comes and sends nothing until it is resumed") {
  EngineHarness hub;
  attach(hub);
  const auto in_flight = admit(hub, 1);
  REQUIRE(done(hub, handling(SubscriptionAction::pause)));
  const auto waits = admit(hub, 2);
  CHECK(settle(hub).empty());
  CHECK(pending(hub) == 2);
  hub.ack(kCouncil, kDesk, in_flight);  // an answer that is under way counts
  CHECK(pending(hub) == 1);
  auto received = hub.send(kOperator, handling(SubscriptionAction::resume));
  CHECK(numbers(deliveries_of(received, kDesk)) == std::vector<Sequence>{waits});
  const auto entries = hub.entries(EntryKind::subscription_changed);
  const auto& resumed = entry_of<ledger::SubscriptionChangedT>(entries.back().second);
  CHECK(resumed.change == SubscriptionChange::resumed);
  CHECK(resumed.by == "operator/o.perator");
  CHECK(resumed.reason == "their server moves house");
}

TEST_CASE("a pause outlives a restart, with and without the state") {
  EngineHarness hub;
  REQUIRE(done(hub, handling(SubscriptionAction::pause)));
  admit(hub, 1);
  hub.restart();
  CHECK(attach(hub).empty());
  hub.restart_without_state();
  CHECK(attach(hub).empty());
  REQUIRE(done(hub, handling(SubscriptionAction::resume)));
  CHECK(pending(hub) == 1);
  check_rebuilt(hub);
}

TEST_CASE("a pause tells of nothing but itself") {
  EngineHarness hub;
  attach(hub);
  admit(hub, 1);
  REQUIRE(done(hub, handling(SubscriptionAction::pause)));
  hub.alarms.clear();
  hub.pass_ms(30LL * 3'600 * 1'000);
  std::size_t paused = 0;
  for (const auto& alarm : hub.alarms) {
    if (alarm.text.find(kDesk) == std::string::npos) continue;
    CHECK(alarm.code == "subscription_paused");
    ++paused;
  }
  CHECK(paused == 2);
}

TEST_CASE("only an operator changes a subscription, with a reason, and one that is there") {
  EngineHarness hub;
  CHECK(answer_to(hub, handling(SubscriptionAction::pause), kCouncil) == wire::ErrorKind::denied);
  auto silent = handling(SubscriptionAction::pause);
  silent.reason.clear();
  CHECK(answer_to(hub, silent) == wire::ErrorKind::invalid);
  CHECK(answer_to(hub, handling(SubscriptionAction::pause, "nobody")) == wire::ErrorKind::not_found);
  CHECK(answer_to(hub, handling(SubscriptionAction::unknown)) == wire::ErrorKind::invalid);
  CHECK(answer_to(hub, handling(SubscriptionAction::resume)) == wire::ErrorKind::conflict);
  CHECK(answer_to(hub, resetting(Position::unknown)) == wire::ErrorKind::invalid);
  CHECK(answer_to(hub, resetting(Position::sequence, 1'000)) == wire::ErrorKind::invalid);
  CHECK(changes(hub, SubscriptionChange::paused) == 0);
  CHECK(changes(hub, SubscriptionChange::cursor_reset) == 0);
}

TEST_CASE("a cursor that is set forward skips what waited, on record, and the next comes after a gap") {
  EngineHarness hub;
  admit(hub, 1);
  admit(hub, 2);
  const auto last = admit(hub, 1);
  REQUIRE(done(hub, resetting(Position::sequence, last)));
  settle(hub);
  CHECK(changes(hub, SubscriptionChange::skipped) == 1);
  const auto got = attach(hub);
  REQUIRE(numbers(got) == std::vector<Sequence>{last});
  CHECK(got.front().after_gap);
  CHECK_FALSE(got.front().late);
  check_rebuilt(hub);
}

TEST_CASE("a cursor that is set to now leaves nothing waiting, and what comes next is delivered") {
  EngineHarness hub;
  attach(hub);
  for (int child = 1; child < 6; ++child) admit(hub, child);
  REQUIRE(done(hub, resetting(Position::now)));
  CHECK(settle(hub).empty());
  CHECK(pending(hub) == 0);
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(EventSpec{}));
  auto received = hub.publish(kHospital, std::move(items));
  const auto got = deliveries_of(received, kDesk);
  REQUIRE(got.size() == 1);
  CHECK(got.front().after_gap);
  check_rebuilt(hub);
}

TEST_CASE("a cursor that is set back offers again what was offered, marked late, under today's policy") {
  EngineHarness hub;
  attach(hub);
  const auto first = admit(hub, 1);
  const auto second = admit(hub, 2);
  const auto refused = admit(hub, 3);
  hub.ack(kCouncil, kDesk, first);
  hub.ack(kCouncil, kDesk, second);
  hub.nak(kCouncil, kDesk, refused, ledger::NakKind::rejected);
  auto received = hub.send(kOperator, resetting(Position::sequence, second));
  auto got = deliveries_of(received, kDesk);
  for (auto& one : settle(hub)) got.push_back(std::move(one));
  REQUIRE(numbers(got) == std::vector<Sequence>{second, refused});
  for (const auto& delivery : got) {
    CHECK(delivery.late);
    CHECK(delivery.attempt == 1);
  }
  CHECK_FALSE(*hub.state->dead_letter(kDesk, refused));
  hub.ack(kCouncil, kDesk, second);
  hub.ack(kCouncil, kDesk, refused);
  CHECK(pending(hub) == 0);
  check_rebuilt(hub);
}

TEST_CASE("a cursor that is set back leaves alone what still waits") {
  EngineHarness hub;
  const auto waits = admit(hub, 1);
  REQUIRE(done(hub, resetting(Position::beginning)));
  settle(hub);
  const auto got = attach(hub);
  REQUIRE(numbers(got) == std::vector<Sequence>{waits});
  CHECK_FALSE(got.front().late);
  check_rebuilt(hub);
}

TEST_CASE("what is in flight when the cursor is set comes again with an Offered of its own") {
  EngineHarness hub;
  attach(hub);
  const auto in_flight = admit(hub, 1);
  auto received = hub.send(kOperator, resetting(Position::beginning));
  auto got = deliveries_of(received, kDesk);
  for (auto& one : settle(hub)) got.push_back(std::move(one));
  REQUIRE(numbers(got) == std::vector<Sequence>{in_flight});
  CHECK(got.front().attempt == 2);
  hub.ack(kCouncil, kDesk, in_flight);
  CHECK(pending(hub) == 0);
}

TEST_CASE("a cursor is set to a time: the first entry since then is due") {
  EngineHarness hub;
  attach(hub);
  const auto before = admit(hub, 1);
  hub.pass_ms(60'000);
  const auto at = hub.clock.now();
  const auto after = admit(hub, 2);
  hub.ack(kCouncil, kDesk, before);
  hub.ack(kCouncil, kDesk, after);
  auto received = hub.send(kOperator, resetting(Position::time, 0, at.us));
  auto got = deliveries_of(received, kDesk);
  for (auto& one : settle(hub)) got.push_back(std::move(one));
  CHECK(numbers(got) == std::vector<Sequence>{after});
  CHECK(*core::first_entry_since(*hub.state, hub.state->head(), {0}) == 1);
  CHECK(*core::first_entry_since(*hub.state, hub.state->head(), {hub.clock.now().us + kSecondUs}) ==
        hub.state->head() + 1);
}

TEST_CASE("an operator removes what a client made, once nothing waits for it") {
  EngineHarness hub;
  CHECK(answer_to(hub, handling(SubscriptionAction::remove)) == wire::ErrorKind::conflict);
  hub.subscribe(kCouncil, "night-desk", kRole);
  admit(hub, 1);
  CHECK(answer_to(hub, handling(SubscriptionAction::remove, "night-desk")) == wire::ErrorKind::conflict);
  auto now = resetting(Position::now);
  now.subscription = "night-desk";
  REQUIRE(done(hub, now));
  settle(hub);
  auto received = hub.send(kOperator, handling(SubscriptionAction::remove, "night-desk"));
  const auto told = frames_of<wire::RejectedT>(received);
  REQUIRE(told.size() == 1);
  CHECK(told.front().subscription == "night-desk");
  CHECK(changes(hub, SubscriptionChange::removed) == 1);
  const auto school = EngineHarness::peer(3, "holm-school");
  auto taken = hub.subscribe(school, "night-desk", "school-pastoral");
  CHECK(frames_of<wire::RejectedT>(taken).size() == 1);
  check_rebuilt(hub);
}

TEST_CASE("what the same step has offered keeps a subscription from being removed") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "night-desk", kRole);
  core::Decision decision;
  const auto take = [&](const core::Peer& peer, auto message) {
    wire::FrameT frame;
    frame.message.Set(std::move(message));
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, &frame));
    const auto* read = flatbuffers::GetRoot<wire::Frame>(builder.GetBufferPointer());
    REQUIRE(hub.engine->handle(peer, *read, hub.clock.now(), decision));
  };
  wire::PublishT publish;
  publish.items.push_back(std::make_unique<wire::PublishItemT>(item_of(EventSpec{})));
  take(kHospital, std::move(publish));
  take(kOperator, handling(SubscriptionAction::remove, "night-desk"));
  settle(hub);
  CHECK(changes(hub, SubscriptionChange::removed) == 0);
  CHECK(pending(hub, "night-desk") == 1);
}

TEST_CASE("a client that begins under the name of a channel that was paused is not paused") {
  EngineHarness hub;
  REQUIRE(done(hub, handling(SubscriptionAction::pause)));
  hub.rules.subscriptions.erase(hub.rules.subscriptions.begin());
  hub.restart();
  attach(hub);
  hub.restart();
  const auto sequence = admit(hub, 1);
  CHECK(numbers(attach(hub)) == std::vector<Sequence>{sequence});
  check_rebuilt(hub);
}

TEST_CASE("no client signs as the hub or as its configuration") {
  EngineHarness hub;
  core::Peer named = kOperator;
  named.client = "configuration";
  auto frame = handling(SubscriptionAction::pause);
  frame.by.clear();
  REQUIRE(answer_to(hub, std::move(frame), named) == wire::ErrorKind::unknown);
  const auto changed = hub.entries(EntryKind::subscription_changed).back().second;
  CHECK(entry_of<ledger::SubscriptionChangedT>(changed).by == "client configuration");
}

namespace {

core::Subscription night_desk(core::StartAt start) {
  core::Subscription added;
  added.name = "night-desk";
  added.agency = "northmarch-council";
  added.role = kRole;
  added.start = start;
  return added;
}

std::vector<Sequence> waiting(const EngineHarness& hub) {
  std::vector<Sequence> sequences;
  const auto rows = hub.state->pending("night-desk", 0, 10'000);
  for (const auto& one : *rows) sequences.push_back(one.sequence);
  return sequences;
}

}  // namespace

TEST_CASE("a new subscription starts at now, at the beginning, at a sequence or at a time") {
  EngineHarness hub;
  const auto first = admit(hub, 1);
  hub.pass_ms(60'000);
  const auto at = hub.clock.now();
  const auto second = admit(hub, 2);
  using Kind = core::StartAt::Kind;
  std::vector<Sequence> expected{first, second};
  core::StartAt start;
  SECTION("now") { expected = {}; }
  SECTION("the beginning") { start.kind = Kind::beginning; }
  SECTION("a sequence") {
    start = {Kind::sequence, second, 0};
    expected = {second};
  }
  SECTION("a time") {
    start = {Kind::time, 0, at.us};
    expected = {second};
  }
  SECTION("a time that has not come") {
    start = {Kind::time, 0, hub.clock.now().us + kSecondUs};
    expected = {};
  }
  hub.rules.subscriptions.push_back(night_desk(start));
  hub.restart();
  settle(hub);
  CHECK(waiting(hub) == expected);
  hub.rules.subscriptions.back().start = {Kind::beginning, 0, 0};
  hub.restart();  // where it starts was decided once
  settle(hub);
  expected.push_back(admit(hub, 3));
  CHECK(waiting(hub) == expected);
  check_rebuilt(hub);
}

TEST_CASE(
    "a start in a long history is a bounded part a step, survives a crash, and keeps each child's order") {
  EngineHarness hub;
  std::vector<Sequence> all;
  for (int child = 0; child < 300; ++child) all.push_back(admit(hub, child % 7));
  while (hub.state->head() < 4 * core::Courses::kEntriesOfStep) all.push_back(admit(hub, 1));
  hub.rules.subscriptions.push_back(night_desk({core::StartAt::Kind::beginning, 0, 0}));
  hub.restart();
  hub.step();
  const auto some = waiting(hub).size();
  CHECK(some > 0);
  CHECK(some < all.size());
  all.push_back(admit(hub, 1));  // what comes meanwhile waits its turn
  CHECK(waiting(hub).back() < all.back());
  hub.restart_without_state();
  settle(hub);
  CHECK(waiting(hub) == all);
  const auto rows = hub.state->pending("night-desk", 0, 10'000);
  for (const auto& one : *rows) CHECK_FALSE(one.late);
  all.push_back(admit(hub, 2));
  CHECK(waiting(hub) == all);
  check_rebuilt(hub);
}

TEST_CASE("a start at an entry that is still to come takes nothing before it") {
  EngineHarness hub;
  hub.rules.subscriptions.push_back(night_desk({core::StartAt::Kind::sequence, hub.state->head() + 20, 0}));
  const auto from = hub.state->head() + 20;
  hub.restart();
  settle(hub);
  while (hub.state->head() < from) admit(hub, 1);
  settle(hub);
  const auto later = admit(hub, 2);
  const auto got = waiting(hub);
  REQUIRE_FALSE(got.empty());
  CHECK(got.front() >= from);
  CHECK(got.back() == later);
}
