#include "tests/unit/core/replay_desk.hpp"

// How a replay into a subscription ends, and what a crash, an operator or a dead letter does to it before
// that.

using namespace carehub;
using namespace carehub::replay_desk;

TEST_CASE("a replay goes on after a crash in the middle, and nothing comes twice but what was in flight") {
  EngineHarness hub;
  std::vector<Sequence> history;
  for (int child = 0; child < 600; ++child) history.push_back(admit(hub, child));
  std::map<Sequence, int> times;
  std::size_t in_flight = 0;
  bool state_lost = false;
  SECTION("with the state") {}
  SECTION("without the state") { state_lost = true; }
  {
    Desk desk(hub);
    desk.drain();
    start(hub, replaying());
    while (desk.replayed.size() < 150) {
      desk.take(hub.pass_ms(100));
      if (desk.replayed.size() < 150) desk.answer();
    }
    in_flight = desk.due.size();
    for (const auto& delivery : desk.replayed) ++times[delivery.sequence];
  }
  if (state_lost) {
    hub.restart_without_state();
  } else {
    hub.restart(3);
  }
  Desk desk(hub);
  desk.drain();
  CHECK(desk.live.empty());
  for (const auto& delivery : desk.replayed) ++times[delivery.sequence];
  CHECK(times.size() == history.size());
  const auto twice =
      std::count_if(times.begin(), times.end(), [](const auto& one) { return one.second > 1; });
  CHECK(static_cast<std::size_t>(twice) <= in_flight);
  CHECK(changes(hub, SubscriptionChange::removed).size() == 1);
  check_rebuilt(hub);
}

TEST_CASE("a replay that is removed settles what is pending as skipped, on record, and ends") {
  EngineHarness hub;
  Desk desk(hub);
  for (int child = 0; child < 100; ++child) desk.admit(child);
  desk.drain();
  const auto name = start(hub, replaying());
  desk.take(hub.pass_ms(1'000));
  REQUIRE_FALSE(hub.state->pending(name, 0, 1'000)->empty());
  REQUIRE(desk.act(SubscriptionAction::reset, name) == wire::ErrorKind::conflict);
  REQUIRE(desk.act(SubscriptionAction::remove, name) == wire::ErrorKind::unknown);
  CHECK(hub.state->pending(name, 0, 1'000)->empty());
  CHECK(changes(hub, SubscriptionChange::skipped).size() == 1);
  const auto ended = changes(hub, SubscriptionChange::removed);
  REQUIRE(ended.size() == 1);
  CHECK(ended.front().by == "operator");
  CHECK(ended.front().reason.starts_with("a test; offered 100, taken 0, withheld 0, skipped 100"));
  const auto before = desk.replayed.size();
  desk.drain();  // answers to what is over do nothing
  CHECK(desk.replayed.size() == before);
  const auto next = desk.admit(1);
  desk.take(hub.step());
  hub.restart();
  CHECK(hub.state->pending(kDesk, 0, 10)->front().sequence == next);
  check_rebuilt(hub);
}

TEST_CASE("a replay into what has become a notice, or is gone from the configuration, ends at the start") {
  EngineHarness hub;
  admit(hub, 1);
  start(hub, replaying());
  SECTION("a notice") { hub.rules.subscriptions[0].notice = true; }
  SECTION("gone") { hub.rules.subscriptions.erase(hub.rules.subscriptions.begin()); }
  hub.restart();
  REQUIRE(changes(hub, SubscriptionChange::removed).size() == 1);
  CHECK(changes(hub, SubscriptionChange::removed).front().by == core::kByConfiguration);
  check_rebuilt(hub);
}

TEST_CASE("a replay whose delivery was given up stays until an operator has handled that") {
  EngineHarness hub;
  Desk desk(hub);
  const auto sequence = desk.admit(1);
  desk.drain();
  const auto name = start(hub, replaying());
  desk.take(hub.pass_ms(1'000));
  hub.nak(kCouncil, name, sequence, ledger::NakKind::rejected);
  CHECK(changes(hub, SubscriptionChange::removed).empty());
  wire::HandleDeadLetterT discard;
  discard.action = wire::DeadLetterAction::discard;
  discard.subscription = name;
  discard.sequence = sequence;
  discard.reason = "they have it";
  hub.send(kOperator, std::move(discard));
  hub.step();
  CHECK(changes(hub, SubscriptionChange::removed).size() == 1);
}

TEST_CASE("what was mended for a replay is settled with it when the replay is removed") {
  EngineHarness hub;
  Desk desk(hub);
  const auto sequence = desk.admit(1);
  desk.drain();
  const auto name = start(hub, replaying());
  desk.take(hub.pass_ms(1'000));
  hub.nak(kCouncil, name, sequence, ledger::NakKind::rejected);
  hub.disconnect(kCouncil.connection);
  wire::HandleDeadLetterT mend;
  mend.action = wire::DeadLetterAction::mend;
  mend.subscription = name;
  mend.sequence = sequence;
  mend.reason = "an old code";
  EventSpec spec;
  spec.child = 1;
  mend.event = pack_event(make_event(spec));
  auto received = hub.send(kOperator, std::move(mend));
  REQUIRE(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::unknown);
  REQUIRE(hub.state->pending(name, 0, 10)->size() == 1);
  REQUIRE(act(hub, SubscriptionAction::remove, name) == wire::ErrorKind::unknown);
  CHECK(hub.state->pending(name, 0, 10)->empty());
  CHECK(changes(hub, SubscriptionChange::removed).front().reason.find("skipped 1,") != std::string::npos);
  check_rebuilt(hub);
}
