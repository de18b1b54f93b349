#include "broker/core/suspicion.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::NakKind;

namespace {

constexpr int kApart = 3;  // numbers so far apart are surely different children
constexpr std::int64_t kLongMs = 2 * limits::kBackoffMaxMs;

/// The desk with a receiver that falls over when it is shown certain events, and takes all others.
struct FrailDesk : Desk {
  std::set<Sequence> poison;
  std::size_t seen = 0;
  int falls = 0;
  bool up = false;

  void start() {
    up = true;
    subscribe(limits::kCreditMax);
    live();
  }
  /// Takes what has come; false: it fell over.
  bool live() {
    while (up && seen < got.size()) {
      const auto sequence = got[seen++].sequence;
      if (!poison.contains(sequence)) {
        ack(sequence);
        continue;
      }
      fall();
    }
    return up;
  }
  void fall() {
    up = false;
    ++falls;
    seen = got.size();
    hub.disconnect(2);
  }
  /// Has the receiver up for so long, and started again whenever it falls over.
  void spend_ms(std::int64_t ms) {
    if (!up) start();
    constexpr std::int64_t kSliceMs = 250;
    for (std::int64_t passed = 0; passed < ms; passed += kSliceMs) {
      pass_ms(kSliceMs);
      if (!live()) start();
    }
  }
  /// The same while an event of another child comes each second, until so many are given up or time is over.
  std::vector<Sequence> spend_with_others(std::size_t dead_letters_wanted) {
    std::vector<Sequence> others;
    for (int second = 0; second < 3'600 && dead_letters() < dead_letters_wanted; ++second) {
      others.push_back(publish_and_live(100 + kApart * second));
      spend_ms(1'000);
    }
    return others;
  }
  Sequence publish_and_live(int child) {
    const auto sequence = publish(child);
    live();
    return sequence;
  }
  bool has_taken(Sequence sequence) const {
    const auto acked = hub.entries(storage::EntryKind::acked);
    return std::ranges::any_of(acked, [&](const auto& entry) {
      return std::ranges::any_of(entry_of<ledger::AckedT>(entry.second).ranges, [&](const auto& range) {
        return range.first() <= sequence && sequence <= range.last();
      });
    });
  }
  /// Failures that were counted, by code.
  std::size_t counted(const std::string& code) const {
    std::size_t count = 0;
    for (const auto& [sequence, body] : hub.entries(storage::EntryKind::nacked)) {
      for (const auto& item : entry_of<ledger::NackedT>(body).items) {
        count += item->counted && item->code == code ? 1 : 0;
      }
    }
    return count;
  }
  std::size_t alarms(const std::string& code) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(hub.alarms, [&](const auto& alarm) { return alarm.code == code; }));
  }
};

}  // namespace

TEST_CASE("an event is blamed for a loss when it was alone, suspected, and another was taken since") {
  core::Suspicion suspicion;
  core::ReceiverCourse receiver;
  const auto take = [&](std::uint64_t acks) {
    while (receiver.acks < acks) receiver.acked();
    return receiver;
  };
  CHECK_FALSE(suspicion.lost(true, take(10)));
  CHECK_FALSE(suspicion.suspected());
  CHECK_FALSE(suspicion.lost(true, take(11)));
  CHECK(suspicion.suspected());
  CHECK_FALSE(suspicion.lost(true, take(11)));
  CHECK_FALSE(suspicion.lost(false, take(12)));
  CHECK(suspicion.lost(true, take(13)));
  CHECK(suspicion.falls() == 5);
  CHECK(suspicion.blames() == 1);
  suspicion.clear();
  CHECK_FALSE(suspicion.suspected());
}

TEST_CASE("an event is not blamed while its receiver falls over one in four of the others") {
  core::Suspicion suspicion;
  core::ReceiverCourse receiver;
  for (int fall = 0; fall < 2; ++fall) {
    receiver.fell(false);
    CHECK_FALSE(suspicion.unavailable(true, receiver));
    receiver.acked();
  }
  receiver.fell(true);
  CHECK(suspicion.unavailable(true, receiver));  // nothing is known of others but that they are taken
  receiver.acked();
  receiver.fell(false);
  receiver.acked();
  receiver.fell(true);
  CHECK_FALSE(suspicion.unavailable(true, receiver));
  for (int taken = 0; taken < 20; ++taken) receiver.acked();
  receiver.fell(true);
  CHECK(suspicion.unavailable(true, receiver));
  for (int fall = 0; fall < 10; ++fall) {
    receiver.acked();
    receiver.fell(false);
  }
  CHECK_FALSE(suspicion.unavailable(true, receiver));
}

TEST_CASE(
    "an event that makes its receiver fall over is given up while others are taken, and its child goes on") {
  FrailDesk desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  const auto next = desk.publish(1, event::EventType::discharge);
  desk.live();
  const auto others = desk.spend_with_others(1);
  REQUIRE(desk.dead_letters() == 1);
  CHECK(desk.counted("connection_lost") == limits::kAttemptsMax);
  // Two losses until it is suspected, and at most one with no other taken since the one before.
  CHECK(desk.falls <= static_cast<int>(limits::kAttemptsMax) + 3);
  CHECK(desk.alarms("receiver_falls_over") == 1);
  CHECK(desk.alarms("dead_letter") == 1);
  desk.spend_ms(kLongMs);
  REQUIRE(desk.has_taken(next));
  for (const auto other : others) CHECK(desk.has_taken(other));
  const auto delivered = std::ranges::find(desk.got, next, &wire::DeliveryT::sequence);
  CHECK(delivered->after_gap);
}

TEST_CASE("what counts of an event that makes its receiver fall over survives restarts") {
  const bool without_state = GENERATE(false, true);
  FrailDesk desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  desk.live();
  int child = 2;
  for (int round = 0; round < 60 && desk.dead_letters() == 0; ++round) {
    desk.publish_and_live(child++);
    desk.spend_ms(kLongMs);
    if (round % 4 != 3) continue;
    desk.up = false;
    without_state ? desk.hub.restart_without_state() : desk.hub.restart(1);
  }
  CHECK(desk.dead_letters() == 1);
  CHECK(desk.counted("connection_lost") == limits::kAttemptsMax);
}

TEST_CASE("a Goodbye, an Unsubscribe and a hub that stops are no losses") {
  Desk desk;
  desk.subscribe();
  const auto unanswered = desk.publish(1);
  for (int end = 0; end < 60; ++end) {
    const auto other = desk.publish(2 + end);
    desk.ack(other);
    switch (end % 3) {
      case 0: desk.hub.disconnect(2, core::Parting::goodbye); break;
      case 1: {
        wire::UnsubscribeT leave;
        leave.name = kDesk;
        desk.take(desk.hub.send(kCouncil, std::move(leave)));
        break;
      }
      default: desk.hub.restart(); break;
    }
    desk.subscribe();
    REQUIRE(desk.got.back().sequence == unanswered);
  }
  CHECK(desk.hub.entries(storage::EntryKind::nacked).empty());
}

TEST_CASE("a receiver that is down makes no dead letter, however often its connection is lost") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  std::vector<Sequence> published;
  for (int child = 1; child <= 5; ++child) published.push_back(desk.publish(child));
  const auto before = desk.got.size();
  for (int session = 0; session < 500; ++session) {
    desk.hub.disconnect(2);
    desk.pass_ms(1'000);
    desk.subscribe(limits::kCreditMax);
  }
  CHECK(desk.dead_letters() == 0);
  CHECK(desk.hub.entries(storage::EntryKind::nacked).empty());
  CHECK(desk.hub.alarmed("receiver_unavailable"));
  // All at once twice; after that one by one, and less and less often.
  CHECK(desk.got.size() - before < 5 + 30);
  FrailDesk well;
  for (int round = 0; round < 10; ++round) {
    desk.pass_ms(kLongMs);
    while (well.seen < desk.got.size()) desk.ack(desk.got[well.seen++].sequence);
  }
  CHECK(desk.hub.entries(storage::EntryKind::dead_letter).empty());
  for (const auto sequence : published) CHECK(std::ranges::count(desk.sequences(), sequence) >= 2);
  const auto rows = EngineHarness::rows(desk.hub.store);
  CHECK(std::ranges::none_of(rows, [](const auto& row) { return row.key[0] == 'q'; }));
}

TEST_CASE(
    "an event that makes its receiver fall over and is all that waits is tried less and less often, and "
    "told") {
  FrailDesk desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  desk.live();
  desk.spend_ms(std::int64_t{3'600'000});
  CHECK(desk.dead_letters() == 0);
  CHECK(desk.counted("connection_lost") == 0);
  CHECK(desk.falls > 10);
  CHECK(desk.falls < 150);
  CHECK(desk.hub.alarmed("receiver_unavailable"));
  // Once others are taken in between, it is given up.
  desk.spend_with_others(1);
  CHECK(desk.dead_letters() == 1);
}

TEST_CASE(
    "what was in flight beside the culprit is found innocent and taken, and the rest goes on meanwhile") {
  FrailDesk desk;
  std::vector<Sequence> innocent;
  desk.poison = {desk.publish(1)};
  for (int child = 2; child <= 30; ++child) innocent.push_back(desk.publish(kApart * child));
  // The receiver takes everything in before it answers any: it falls over with all of it twice.
  for (int fall = 0; fall < 2; ++fall) {
    desk.up = true;
    desk.subscribe(limits::kCreditMax);
    REQUIRE(desk.got.size() - desk.seen == 30);
    desk.fall();
  }
  desk.spend_ms(5'000);
  for (const auto sequence : innocent) CHECK(desk.has_taken(sequence));
  desk.spend_with_others(1);
  REQUIRE(desk.dead_letters() == 1);
  const auto dead = desk.hub.entries(storage::EntryKind::dead_letter);
  CHECK(desk.poison.contains(entry_of<ledger::DeadLetterT>(dead[0].second).sequence));
  CHECK(desk.counted("connection_lost") == limits::kAttemptsMax);
}

TEST_CASE("two events of two children that make their receiver fall over are both given up, and no other") {
  FrailDesk desk;
  desk.start();
  desk.poison = {desk.publish(1), desk.publish(1 + kApart)};
  desk.live();
  const auto others = desk.spend_with_others(2);
  CHECK(desk.dead_letters() == 2);
  desk.spend_ms(kLongMs);
  for (const auto sequence : others) CHECK(desk.has_taken(sequence));
  CHECK(desk.counted("connection_lost") == 2 * limits::kAttemptsMax);
}

TEST_CASE(
    "what is suspected flies alone, when nothing else is ready or when its turn has come after another's "
    "ack") {
  Desk desk;
  desk.subscribe();
  const auto suspected = desk.publish(1);
  for (int loss = 0; loss < 2; ++loss) {
    desk.ack(desk.publish(10));
    desk.hub.disconnect(2);
    desk.subscribe();
  }
  const auto first = desk.publish(20);
  const auto second = desk.publish(30);
  REQUIRE(desk.got.back().sequence == second);
  desk.pass_ms(kLongMs);
  CHECK(desk.got.back().sequence == second);  // others are in flight
  desk.ack(first);
  const auto third = desk.publish(40);
  CHECK(desk.got.back().sequence == second);  // and it is the elder
  desk.ack(second);
  REQUIRE(desk.got.back().sequence == suspected);
  desk.ack(suspected);
  CHECK(desk.got.back().sequence == third);
  desk.hub.disconnect(2);
  desk.subscribe();
  CHECK(desk.got.back().sequence == third);  // lost once, it comes again at once
}

TEST_CASE("an answer clears what is suspected, be it a no") {
  Desk desk;
  desk.subscribe();
  const auto sequence = desk.publish(1);
  for (int round = 0; round < 30; ++round) {
    for (int loss = 0; loss < 2; ++loss) {
      desk.hub.disconnect(2);
      desk.subscribe();
      desk.pass_ms(kLongMs);
    }
    const auto other = desk.publish(2 + round);
    desk.nak(sequence, NakKind::unavailable);
    desk.pass_ms(kLongMs);
    desk.ack(other);
    desk.pass_ms(kLongMs);
    REQUIRE(desk.got.back().sequence == sequence);
  }
  for (const auto& [at, body] : desk.hub.entries(storage::EntryKind::nacked)) {
    for (const auto& item : entry_of<ledger::NackedT>(body).items) CHECK_FALSE(item->counted);
  }
}

TEST_CASE("a receiver that is back before its old connection is known to be lost is found out as well") {
  Desk desk;
  desk.subscribe();
  const auto culprit = desk.publish(1);
  for (int round = 0; round < 40 && desk.dead_letters() == 0; ++round) {
    const auto peer = EngineHarness::peer(static_cast<ConnectionId>(10 + round), "northmarch-council");
    desk.subscribe(256, peer);
    desk.publish(10 + kApart * round);
    for (int wait = 0; wait < 20; ++wait) {
      for (const auto sequence : desk.sequences()) {
        if (sequence != culprit) desk.take(desk.hub.ack(peer, kDesk, sequence));
      }
      desk.pass_ms(kLongMs / 20);
    }
    desk.hub.disconnect(static_cast<ConnectionId>(9 + round));
  }
  const auto dead = desk.hub.entries(storage::EntryKind::dead_letter);
  REQUIRE(dead.size() == 1);
  CHECK(entry_of<ledger::DeadLetterT>(dead[0].second).sequence == culprit);
}

TEST_CASE("an event is not blamed where another of the same client's subscriptions had something in flight") {
  auto rules = Desk::rules(Desk::kDayMs);
  rules.subscriptions.push_back(rules.subscriptions[0]);
  rules.subscriptions[0].name = "one";
  rules.subscriptions[1].name = "two";
  EngineHarness hub(std::move(rules));
  auto peer = EngineHarness::peer(9, "northmarch-council");
  const auto come = [&] {
    hub.subscribe(peer, "one", kRole);
    hub.subscribe(peer, "two", kRole);
  };
  const bool taken_over = GENERATE(false, true);
  int child = 10;
  Sequence unanswered = 0;
  const auto lose_with_others_taken = [&] {
    EventSpec other;
    other.child = child += kApart;
    hub.publish_one(kHospital, item_of(other));
    for (int wait = 0; wait < 20; ++wait) {
      hub.pass_ms(kLongMs / 20);
      for (const auto* name : {"one", "two"}) {
        for (auto sequence = unanswered + 1; sequence < hub.ledger.head(); ++sequence) {
          hub.ack(peer, name, sequence);
        }
      }
    }
    if (!taken_over) hub.disconnect(peer.connection);
    ++peer.connection;
    come();
  };
  come();
  unanswered = hub.publish_one(kHospital, item_of(EventSpec{})).sequence;
  for (int loss = 0; loss < 30; ++loss) lose_with_others_taken();
  CHECK(hub.entries(storage::EntryKind::nacked).empty());
  hub.pass_ms(kLongMs);
  hub.ack(peer, "two", unanswered);
  ++peer.connection;
  come();
  for (int loss = 0; loss < 30; ++loss) lose_with_others_taken();
  CHECK(hub.entries(storage::EntryKind::dead_letter).size() == 1);
}

TEST_CASE("a receiver that falls over holds up no other subscriber") {
  EngineHarness hub;
  const auto commissioner = EngineHarness::peer(3, "march-commissioner");
  constexpr const char* kNotice = "tier4-notice";
  hub.subscribe(kCouncil, kDesk, kRole);
  hub.subscribe(commissioner, kNotice, "tier4-case-manager");
  for (int child = 1; child <= 40; ++child) {
    EventSpec spec;
    spec.child = kApart * child;
    std::vector<wire::PublishItemT> items;
    items.push_back(item_of(spec));
    auto received = hub.publish(kHospital, std::move(items));
    const auto shown = deliveries_of(received, kNotice);
    REQUIRE(shown.size() == 1);
    CHECK(shown[0].attempt == 1);
    hub.ack(commissioner, kNotice, shown[0].sequence);
    hub.disconnect(2);
    hub.subscribe(kCouncil, kDesk, kRole);
  }
  CHECK(hub.entries(storage::EntryKind::nacked).empty());
}
