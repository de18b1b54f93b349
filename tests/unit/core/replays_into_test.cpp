#include "broker/core/replays_into.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

// Long because: one replay is played throughout, from its making to its end.

using namespace carehub;
using namespace carehub::fakes;
using ledger::SubscriptionChange;
using storage::EntryKind;
using wire::SubscriptionAction;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kRole = "social-care-duty";

wire::ReplayT replaying(const std::string& into = kDesk) {
  wire::ReplayT frame;
  frame.number = 7;
  frame.into = into;
  frame.by = "o.perator";
  frame.reason = "their server lost a day";
  frame.rate_per_minute = 600'000;
  return frame;
}

wire::HandledT asked(EngineHarness& hub, wire::ReplayT frame, const core::Peer& peer = kOperator) {
  auto received = hub.send(peer, std::move(frame));
  auto handled = frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  CHECK(handled.front().number == 7);
  return std::move(handled.front());
}

std::string start(EngineHarness& hub, wire::ReplayT frame) {
  const auto handled = asked(hub, std::move(frame));
  REQUIRE(handled.error == wire::ErrorKind::unknown);
  CHECK(handled.subscription == core::replay_name(kDesk, handled.sequence));
  return handled.subscription;
}

wire::ErrorKind act(EngineHarness& hub, SubscriptionAction action, const std::string& name) {
  wire::HandleSubscriptionT frame;
  frame.action = action;
  frame.subscription = name;
  frame.reason = "a test";
  auto received = hub.send(kOperator, std::move(frame));
  return frames_of<wire::HandledT>(received).at(0).error;
}

/// Published; what leaves at once is `left`.
Sequence admit(EngineHarness& hub, int child, std::vector<Received>& left,
               event::EventType type = event::EventType::admission) {
  EventSpec spec;
  spec.child = child;
  spec.type = type;
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(spec));
  left = hub.publish(kHospital, std::move(items));
  auto published = frames_of<wire::PublishedT>(left);
  REQUIRE(published.size() == 1);
  return published.front().outcomes.at(0)->sequence;
}
Sequence admit(EngineHarness& hub, int child) {
  std::vector<Received> nobody;
  return admit(hub, child, nobody);
}

/// The council's client: what it was sent in each stream, answered with yes as long as it is told to.
struct Desk {
  explicit Desk(EngineHarness& hub_in) : hub(hub_in) { take(hub.subscribe(kCouncil, kDesk, kRole)); }

  Sequence admit(int child, event::EventType type = event::EventType::admission) {
    std::vector<Received> left;
    const auto sequence = ::admit(hub, child, left, type);
    take(std::move(left));
    return sequence;
  }
  wire::ErrorKind act(SubscriptionAction action, const std::string& name) {
    wire::HandleSubscriptionT frame;
    frame.action = action;
    frame.subscription = name;
    frame.reason = "a test";
    auto received = hub.send(kOperator, std::move(frame));
    const auto error = frames_of<wire::HandledT>(received).at(0).error;
    take(std::move(received));
    return error;
  }
  void take(std::vector<Received> received) {
    for (auto& frame : frames_of<wire::DeliverT>(received)) {
      for (const auto& one : frame.deliveries) {
        CHECK(one->replay == (frame.subscription != kDesk));
        CHECK(frame.replay_of == (one->replay ? kDesk : ""));
        if (one->replay) replay_name = frame.subscription;
        (one->replay ? replayed : live).push_back(*one);
        due.emplace_back(frame.subscription, one->sequence);
      }
    }
  }
  /// Time goes on until nothing comes any more; acks what comes.
  void drain() {
    for (int turn = 0; turn < 2'000; ++turn) {
      take(hub.pass_ms(200));
      if (due.empty()) return;
      answer();
    }
    FAIL("it never ends");
  }
  void answer() {
    for (const auto& [stream, sequence] : std::exchange(due, {})) {
      take(hub.ack(kCouncil, stream, sequence));
      wire::CreditT credit;
      credit.subscription = stream;
      credit.amount = 1;
      take(hub.send(kCouncil, std::move(credit)));
    }
  }

  EngineHarness& hub;
  std::vector<wire::DeliveryT> live, replayed;
  std::vector<std::pair<std::string, Sequence>> due;  // not answered yet
  std::string replay_name;
};

std::vector<Sequence> numbers(const std::vector<wire::DeliveryT>& deliveries) {
  std::vector<Sequence> sequences;
  for (const auto& delivery : deliveries) sequences.push_back(delivery.sequence);
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

/// Changes of replays, in order.
std::vector<ledger::SubscriptionChangedT> changes(const EngineHarness& hub, SubscriptionChange change) {
  std::vector<ledger::SubscriptionChangedT> found;
  for (const auto& [sequence, body] : hub.entries(EntryKind::subscription_changed)) {
    const auto& entry = entry_of<ledger::SubscriptionChangedT>(body);
    if (entry.change == change && !entry.replay_of.empty()) found.push_back(entry);
  }
  return found;
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
