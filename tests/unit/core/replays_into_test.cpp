#include "tests/unit/core/replay_desk.hpp"

using namespace carehub;
using namespace carehub::replay_desk;

TEST_CASE(
    "a replay into a subscription sends its part of history again, marked, and ends by itself on record") {
  EngineHarness hub;
  Desk desk(hub);
  std::vector<Sequence> history;
  for (int child = 0; child < 30; ++child) history.push_back(desk.admit(child % 5));
  desk.drain();
  REQUIRE(numbers(desk.live) == history);
  auto frame = replaying();
  frame.first = history[5];
  frame.last = history[24];
  const auto name = start(hub, frame);
  desk.drain();
  CHECK(numbers(desk.replayed) == std::vector<Sequence>(history.begin() + 5, history.begin() + 25));
  CHECK(desk.live.size() == history.size());
  const auto made = changes(hub, SubscriptionChange::created);
  REQUIRE(made.size() == 1);
  CHECK(made.front().name == name);
  CHECK(made.front().replay_of == kDesk);
  CHECK(made.front().start == history[5]);
  CHECK(made.front().last == history[24]);
  CHECK(made.front().rate_per_minute == 600'000);
  CHECK(made.front().by == "operator/o.perator");
  CHECK(made.front().reason == "their server lost a day");
  const auto ended = changes(hub, SubscriptionChange::removed);
  REQUIRE(ended.size() == 1);
  CHECK(ended.front().by == "hub");
  CHECK(ended.front().reason == "offered 20, taken 20, withheld 0, skipped 0, dead letters 0");
  CHECK(desk.act(SubscriptionAction::pause, name) == wire::ErrorKind::not_found);
  check_rebuilt(hub);
}

TEST_CASE("the live order and the live cursor are untouched while a replay runs") {
  EngineHarness hub;
  Desk desk(hub);
  std::vector<Sequence> history;
  for (int child = 0; child < 40; ++child) history.push_back(desk.admit(child % 3));
  desk.drain();
  start(hub, replaying());
  const auto before = desk.live.size();
  std::vector<Sequence> fresh;
  for (int child = 0; child < 20; ++child) {
    fresh.push_back(desk.admit(child % 3));
    desk.take(hub.step());
    desk.answer();
  }
  desk.drain();
  CHECK(numbers({desk.live.begin() + static_cast<std::ptrdiff_t>(before), desk.live.end()}) == fresh);
  CHECK(numbers(desk.replayed) == history);  // nothing that is newer than the replay
  std::map<std::string, Sequence> last_of_child;
  for (const auto& delivery : desk.live) {
    auto& last = last_of_child[to_hex({delivery.person->bytes()->data(), 16})];
    CHECK(delivery.sequence > last);
    last = delivery.sequence;
    CHECK_FALSE(delivery.late);
  }
  // A receiver threads both streams by the same pseudonym.
  for (const auto& delivery : desk.replayed)
    CHECK(last_of_child.contains(to_hex({delivery.person->bytes()->data(), 16})));
  CHECK(hub.state->pending(kDesk, 0, 10)->empty());
}

TEST_CASE("the same sequence may be in flight in both streams, and each is answered under its own name") {
  EngineHarness hub;
  Desk desk(hub);
  const auto sequence = desk.admit(1);
  const auto name = start(hub, replaying());
  desk.take(hub.pass_ms(1'000));
  REQUIRE(numbers(desk.live) == std::vector<Sequence>{sequence});
  REQUIRE(numbers(desk.replayed) == std::vector<Sequence>{sequence});
  hub.ack(kCouncil, name, sequence);
  REQUIRE(hub.state->pending(kDesk, 0, 10)->size() == 1);  // the live one still waits for its own answer
  CHECK(changes(hub, SubscriptionChange::removed).size() == 1);
  hub.ack(kCouncil, kDesk, sequence);
  CHECK(hub.state->pending(kDesk, 0, 10)->empty());
}

TEST_CASE("a replay waits while its subscription's reader is away, and offers no more than it may take") {
  EngineHarness hub;
  std::vector<Sequence> history;
  for (int child = 0; child < 700; ++child) history.push_back(admit(hub, child));
  {
    Desk desk(hub);
    desk.drain();
  }
  const auto name = start(hub, replaying());
  hub.pass_ms(5'000);
  CHECK(hub.state->pending(name, 0, 1'000)->size() <= core::Courses::kReplayAheadMax);
  hub.disconnect(kCouncil.connection);
  hub.pass_ms(5'000);
  const auto waiting = hub.state->pending(name, 0, 1'000)->size();
  CHECK(waiting <= core::Courses::kReplayAheadMax);
  CHECK(hub.due > hub.clock.now());
  Desk desk(hub);
  CHECK(desk.replayed.size() <= core::ReplaysInto::kCredit);
  desk.drain();
  CHECK(numbers(desk.replayed) == history);
  CHECK(desk.live.empty());
}

TEST_CASE("a replay is paused and resumed, and a pause of its subscription holds it, too") {
  EngineHarness hub;
  Desk desk(hub);
  std::vector<Sequence> history;
  for (int child = 0; child < 100; ++child) history.push_back(desk.admit(child));
  desk.drain();
  const auto name = start(hub, replaying());
  auto paused = name;
  SECTION("itself") {}
  SECTION("its subscription") { paused = kDesk; }
  desk.take(hub.step());
  REQUIRE(desk.act(SubscriptionAction::pause, paused) == wire::ErrorKind::unknown);
  desk.drain();  // what was in flight is answered
  const auto so_far = desk.replayed.size();
  CHECK(so_far < history.size());
  desk.take(hub.pass_ms(60'000));
  CHECK(desk.replayed.size() == so_far);
  REQUIRE(desk.act(SubscriptionAction::resume, paused) == wire::ErrorKind::unknown);
  desk.drain();
  CHECK(numbers(desk.replayed) == history);
}

TEST_CASE(
    "a replay is for one child, one type, one channel or a time, and never widens what is subscribed to") {
  EngineHarness hub;
  hub.rules.subscriptions[0].filter.types = {event::EventType::admission};
  hub.restart();
  Desk desk(hub);
  const auto first = desk.admit(1);
  const auto second = desk.admit(2);
  hub.pass_ms(60'000);
  const auto at = hub.clock.now();
  const auto third = desk.admit(1);
  desk.admit(1, event::EventType::movement);
  desk.drain();
  auto frame = replaying();
  std::vector<Sequence> expected{first, second, third};
  frame.filter = std::make_unique<ledger::FilterT>();
  SECTION("everything that is subscribed to") {}
  SECTION("one child") {
    frame.person = "nhs:" + test_nhs_number(1);
    expected = {first, third};
  }
  SECTION("the child of an entry") {
    frame.person = "sequence:" + std::to_string(second);
    expected = {second};
  }
  SECTION("what is not subscribed to") {
    frame.filter->types = {event::EventType::movement};
    expected = {};
  }
  SECTION("one channel") { frame.filter->channels = {"elwick-adt"}; }
  SECTION("another channel") {
    frame.filter->channels = {"fenbrook-adt"};
    expected = {};
  }
  SECTION("another agency") {
    frame.filter->agencies = {"fenbrook-camhs"};
    expected = {};
  }
  SECTION("since a time") {
    frame.first_at = at.us;
    expected = {third};
  }
  SECTION("until a time") {
    frame.last_at = at.us - 1;
    expected = {first, second};
  }
  start(hub, frame);
  desk.drain();
  CHECK(numbers(desk.replayed) == expected);
  CHECK(changes(hub, SubscriptionChange::removed).size() == 1);
}

TEST_CASE("what today's policy withholds is not replayed, and that is on record") {
  EngineHarness hub;
  {
    Desk desk(hub);
    desk.admit(1);
    desk.drain();
  }
  const auto shown = std::string("types = [\"admission\", \"discharge\", \"correction\", \"referral\"");
  hub.rules.policy_text.replace(hub.rules.policy_text.find(shown), shown.size(), "types = [\"discharge\"");
  hub.restart();
  Desk desk(hub);
  start(hub, replaying());
  desk.drain();
  CHECK(desk.replayed.empty());
  CHECK(changes(hub, SubscriptionChange::removed).front().reason ==
        "offered 0, taken 0, withheld 1, skipped 0, dead letters 0");
  const auto withheld = hub.entries(EntryKind::withheld);
  CHECK(entry_of<ledger::WithheldT>(withheld.back().second).subscription ==
        changes(hub, SubscriptionChange::created).front().name);
}

TEST_CASE("a replay keeps to its rate") {
  EngineHarness hub;
  Desk desk(hub);
  for (int child = 0; child < 100; ++child) desk.admit(child);
  desk.drain();
  auto frame = replaying();
  frame.rate_per_minute = 60;
  start(hub, frame);
  for (int second = 0; second < 30; ++second) {
    desk.take(hub.pass_ms(1'000));
    desk.answer();
  }
  CHECK(desk.replayed.size() >= 25);
  CHECK(desk.replayed.size() <= 32);
}

TEST_CASE("a replay and what is live share the rate that a receiver sets, and the live go first") {
  EngineHarness hub;
  hub.rules.subscriptions[0].rate_per_minute = 60;
  hub.restart();
  {
    Desk desk(hub);
    for (int child = 0; child < 20; ++child) desk.admit(child);
    for (int second = 0; second < 40; ++second) {
      desk.take(hub.pass_ms(1'000));
      desk.answer();
    }
    REQUIRE(desk.live.size() == 20);
  }
  start(hub, replaying());
  if (GENERATE(false, true)) hub.restart();
  Desk desk(hub);
  desk.take(hub.pass_ms(2'000));
  for (int child = 20; child < 25; ++child) desk.admit(child);
  const auto before = desk.replayed.size();
  for (int second = 0; second < 5; ++second) {
    desk.take(hub.pass_ms(1'000));
    desk.answer();
  }
  CHECK(desk.live.size() >= 4);
  CHECK(desk.replayed.size() <= before + 2);
  for (int second = 0; second < 10; ++second) {
    desk.take(hub.pass_ms(1'000));
    desk.answer();
  }
  CHECK(desk.live.size() + desk.replayed.size() <= 20);
  CHECK(desk.replayed.size() > before);
}

TEST_CASE("a notice is replayed only when that is asked for by name") {
  EngineHarness hub;
  hub.rules.subscriptions[0].notice = true;
  hub.restart();
  admit(hub, 1);
  CHECK(asked(hub, replaying()).error == wire::ErrorKind::conflict);
  CHECK(changes(hub, SubscriptionChange::created).empty());
  auto frame = replaying();
  frame.raise_notices = true;
  start(hub, frame);
  CHECK(changes(hub, SubscriptionChange::created).front().raise_notices);
}

TEST_CASE(
    "only an operator replays into a subscription, with a reason, into one that is there, a few at a time") {
  EngineHarness hub;
  admit(hub, 1);
  CHECK(asked(hub, replaying(), kCouncil).error == wire::ErrorKind::denied);
  auto silent = replaying();
  silent.reason.clear();
  CHECK(asked(hub, silent).error == wire::ErrorKind::invalid);
  CHECK(asked(hub, replaying("nobody")).error == wire::ErrorKind::not_found);
  auto stranger = replaying();
  stranger.person = "nhs:" + test_nhs_number(77);
  CHECK(asked(hub, stranger).error == wire::ErrorKind::not_found);
  auto beyond = replaying();
  beyond.first = 1'000;
  CHECK(asked(hub, beyond).error == wire::ErrorKind::invalid);
  const auto name = start(hub, replaying());
  CHECK(asked(hub, replaying(name)).error == wire::ErrorKind::not_found);
  start(hub, replaying());
  CHECK(asked(hub, replaying()).error == wire::ErrorKind::overloaded);
  CHECK(changes(hub, SubscriptionChange::created).size() == core::ReplaysInto::kOfOneActiveMax);
}

TEST_CASE("nobody subscribes under a replay's name, and a replay holds what it goes into") {
  EngineHarness hub;
  admit(hub, 1);
  hub.subscribe(kCouncil, "night-desk", kRole);
  auto frame = replaying("night-desk");
  const auto handled = asked(hub, frame);
  REQUIRE(handled.error == wire::ErrorKind::unknown);
  for (const auto& name : {handled.subscription, std::string("night-desk/replay-1000")}) {
    auto refused = hub.subscribe(kCouncil, name, kRole);
    CHECK(frames_of<wire::RejectedT>(refused).size() == 1);
  }
  hub.disconnect(kCouncil.connection);
  CHECK(act(hub, SubscriptionAction::remove, "night-desk") == wire::ErrorKind::conflict);
  REQUIRE(act(hub, SubscriptionAction::remove, handled.subscription) == wire::ErrorKind::unknown);
  CHECK(act(hub, SubscriptionAction::remove, "night-desk") == wire::ErrorKind::unknown);
}
