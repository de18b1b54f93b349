#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "broker/core/suspicion.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::NakKind;

namespace {

constexpr int kApart = 3;  // numbers so far apart are surely different children
constexpr std::int64_t kSliceMs = 250;
constexpr std::int64_t kLongMs = std::int64_t{2} * limits::kBackoffMaxMs;

/// The desk as a channel with a server behind it. The server falls over when it is sent certain events and
/// needs a while to come up again; the channel stays connected and calls it unavailable.
struct FrailServer : Desk {
  std::set<Sequence> poison;
  std::size_t seen = 0;
  int falls = 0;
  std::int64_t down_ms = 0;  // for so much longer
  std::int64_t restart_ms = 2'000;
  std::uint32_t flaky_percent = 0;  // of requests that it has no time for, whatever they are about
  std::uint32_t seed = 7;
  std::mt19937 dice{seed};

  void start() { subscribe(limits::kCreditMax); }
  void live() {
    if (seen < got.size()) credit(static_cast<std::uint32_t>(got.size() - seen));
    while (seen < got.size()) {
      const auto sequence = got[seen++].sequence;
      if (down_ms <= 0 && poison.contains(sequence)) {
        ++falls;
        down_ms = restart_ms;
      }
      const bool busy = dice() % 100 < flaky_percent;
      down_ms > 0 || busy ? nak(sequence, NakKind::unavailable) : ack(sequence);
    }
  }
  void spend_ms(std::int64_t ms) {
    for (std::int64_t passed = 0; passed < ms; passed += kSliceMs) {
      live();
      pass_ms(kSliceMs);
      down_ms -= kSliceMs;
    }
    live();
  }
  /// An event of another child comes each second, until so many are given up or time is over.
  std::vector<Sequence> spend_with_others(std::size_t dead_letters_wanted, int seconds = 3'600) {
    std::vector<Sequence> others;
    for (int second = 0; second < seconds && dead_letters() < dead_letters_wanted; ++second) {
      others.push_back(publish(100 + kApart * second));
      spend_ms(1'000);
    }
    return others;
  }
  bool has_taken(Sequence sequence) const {
    const auto acked = hub.entries(storage::EntryKind::acked);
    return std::ranges::any_of(acked, [&](const auto& entry) {
      return std::ranges::any_of(entry_of<ledger::AckedT>(entry.second).ranges, [&](const auto& range) {
        return range.first() <= sequence && sequence <= range.last();
      });
    });
  }
  std::size_t acked() const {
    std::size_t count = 0;
    for (const auto& [sequence, body] : hub.entries(storage::EntryKind::acked)) {
      for (const auto& range : entry_of<ledger::AckedT>(body).ranges)
        count += range.last() - range.first() + 1;
    }
    return count;
  }
  /// Events whose failures were counted, each as often as it was.
  std::vector<Sequence> counted() const {
    std::vector<Sequence> all;
    for (const auto& [sequence, body] : hub.entries(storage::EntryKind::nacked)) {
      for (const auto& item : entry_of<ledger::NackedT>(body).items) {
        if (!item->counted) continue;
        CHECK(item->code == "receiver_fell_over");
        all.push_back(item->sequence);
      }
    }
    return all;
  }
  std::set<Sequence> given_up() const {
    std::set<Sequence> all;
    for (const auto& [sequence, body] : hub.entries(storage::EntryKind::dead_letter))
      all.insert(entry_of<ledger::DeadLetterT>(body).sequence);
    return all;
  }
};

}  // namespace

TEST_CASE(
    "an event is blamed for an unavailable receiver when it was alone, suspected, and another was taken") {
  core::Suspicion suspicion;
  core::ReceiverCourse receiver;
  CHECK_FALSE(suspicion.unavailable(true, receiver));
  CHECK_FALSE(suspicion.unavailable(true, receiver));  // the same outage
  CHECK_FALSE(suspicion.suspected());
  receiver.acked();
  CHECK_FALSE(suspicion.unavailable(true, receiver));
  CHECK(suspicion.suspected());
  receiver.acked();
  CHECK_FALSE(suspicion.unavailable(false, receiver));
  CHECK_FALSE(suspicion.unavailable(true, receiver));
  receiver.acked();
  CHECK(suspicion.unavailable(true, receiver));
  CHECK(suspicion.falls() == 4);
  CHECK(suspicion.blames() == 1);
  suspicion.clear();
  CHECK_FALSE(suspicion.suspected());
}

TEST_CASE("an event that makes the server behind a channel fall over is given up while others are taken") {
  FrailServer desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  const auto next = desk.publish(1, event::EventType::discharge);
  const auto others = desk.spend_with_others(1);
  REQUIRE(desk.given_up() == desk.poison);
  CHECK(desk.counted() == Sequences(limits::kAttemptsMax, *desk.poison.begin()));
  CHECK(desk.hub.alarmed("receiver_falls_over"));
  CHECK(desk.hub.alarmed("dead_letter"));
  desk.spend_ms(kLongMs);
  REQUIRE(desk.has_taken(next));
  for (const auto other : others) CHECK(desk.has_taken(other));
  const auto delivered = std::ranges::find(desk.got, next, &wire::DeliveryT::sequence);
  CHECK(delivered->after_gap);
}

TEST_CASE("two events over which a server falls are both given up, and none that was in flight beside them") {
  FrailServer desk;
  std::vector<Sequence> innocent;
  desk.poison = {desk.publish(1), desk.publish(1 + kApart)};
  for (int child = 3; child <= 30; ++child) innocent.push_back(desk.publish(kApart * child));
  desk.start();
  const auto others = desk.spend_with_others(2);
  CHECK(desk.given_up() == desk.poison);
  desk.spend_ms(kLongMs);
  for (const auto sequence : innocent) CHECK(desk.has_taken(sequence));
  for (const auto sequence : others) CHECK(desk.has_taken(sequence));
  for (const auto sequence : desk.counted()) CHECK(desk.poison.contains(sequence));
}

TEST_CASE("a server that has no time for most requests makes no dead letter, and takes all in the end") {
  FrailServer desk;
  desk.flaky_percent = GENERATE(30U, 70U);
  CAPTURE(desk.flaky_percent, desk.seed);
  desk.start();
  const auto others = desk.spend_with_others(1, 900);
  CHECK(desk.given_up().empty());
  desk.flaky_percent = 0;
  for (int wait = 0; wait < 10; ++wait) desk.spend_ms(kLongMs);
  CHECK(desk.acked() == others.size());
  CHECK(desk.given_up().empty());
}

TEST_CASE(
    "a server that has no time for every twentieth request is not why an event over which it falls stays") {
  FrailServer desk;
  desk.flaky_percent = 5;
  CAPTURE(desk.seed);
  desk.start();
  desk.poison = {desk.publish(1)};
  desk.spend_with_others(1);
  CHECK(desk.given_up() == desk.poison);
}

TEST_CASE(
    "a server that is down, again and again and for days, makes no dead letter and nothing is counted") {
  FrailServer desk;
  desk.start();
  std::vector<Sequence> published;
  for (int outage = 0; outage < 20; ++outage) {
    for (int child = 1; child <= 5; ++child) published.push_back(desk.publish(kApart * child));
    desk.down_ms = outage == 10 ? 3 * std::int64_t{Desk::kDayMs} : 30'000;
    if (outage == 10) {
      // Most of it passes in one piece: probes leave less and less often.
      while (desk.down_ms > 0) {
        desk.live();
        desk.pass_ms(limits::kBackoffMaxMs);
        desk.down_ms -= limits::kBackoffMaxMs;
      }
    }
    desk.spend_ms(desk.down_ms > 0 ? desk.down_ms : 0);
    desk.spend_ms(kLongMs);
  }
  CHECK(desk.dead_letters() == 0);
  CHECK(desk.counted().empty());
  for (const auto sequence : published) CHECK(desk.has_taken(sequence));
}

TEST_CASE(
    "an event over which a server falls, and that is all that waits, is probed and told and not given up") {
  FrailServer desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  desk.spend_ms(std::int64_t{3'600'000});
  CHECK(desk.dead_letters() == 0);
  CHECK(desk.counted().empty());
  CHECK(desk.falls > 10);
  CHECK(desk.falls < 150);
  CHECK(desk.hub.alarmed("receiver_unavailable"));
  desk.spend_with_others(1);
  CHECK(desk.given_up() == desk.poison);
}

TEST_CASE("what counts of an event over which a server falls survives restarts") {
  const bool without_state = GENERATE(false, true);
  FrailServer desk;
  desk.start();
  desk.poison = {desk.publish(1)};
  int child = 2;
  for (int round = 0; round < 100 && desk.dead_letters() == 0; ++round) {
    desk.publish(kApart * child++);
    desk.spend_ms(kLongMs);
    if (round % 5 != 4) continue;
    without_state ? desk.hub.restart_without_state() : desk.hub.restart(1);
    desk.start();
  }
  CHECK(desk.given_up() == desk.poison);
  CHECK(desk.counted().size() == limits::kAttemptsMax);
}

TEST_CASE("a receiver that says how long to wait has not fallen over, and that blames no event") {
  Desk desk;
  desk.subscribe();
  const auto unlucky = desk.publish(1);
  for (int round = 0; round < 40; ++round) {
    REQUIRE(desk.got.back().sequence == unlucky);
    desk.nak(unlucky, NakKind::unavailable, 500);
    const auto other = desk.publish(2 + kApart * round);
    for (int wait = 0; wait < 40 && desk.got.back().sequence != other; ++wait) {
      desk.pass_ms(1'000);
      if (desk.got.back().sequence == unlucky) desk.nak(unlucky, NakKind::unavailable, 500);
    }
    REQUIRE(desk.got.back().sequence == other);
    desk.ack(other);
    desk.pass_ms(kLongMs);
  }
  CHECK(desk.dead_letters() == 0);
  for (const auto& [at, body] : desk.hub.entries(storage::EntryKind::nacked)) {
    for (const auto& item : entry_of<ledger::NackedT>(body).items) CHECK_FALSE(item->counted);
  }
}

TEST_CASE("an event is not blamed while a replay has something in flight to the same receiver") {
  FrailServer desk;
  desk.start();
  const auto past = desk.publish(50);
  desk.live();
  wire::ReplayT replay;
  replay.into = kDesk;
  replay.first = replay.last = past;
  replay.by = "A Operator";
  replay.reason = "asked for";
  auto sent = desk.hub.send(EngineHarness::operator_peer(9), std::move(replay));
  auto shown = frames_of<wire::DeliverT>(sent);
  for (int step = 0; step < 10 && shown.empty(); ++step) {
    auto more = desk.hub.pass_ms(1'000);
    shown = frames_of<wire::DeliverT>(more);
  }
  REQUIRE(shown.size() == 1);  // and it is not answered yet
  REQUIRE(shown[0].replay_of == kDesk);
  desk.poison = {desk.publish(1)};
  for (int second = 0; second < 600; ++second) {
    desk.publish(100 + kApart * second);
    desk.spend_ms(1'000);
  }
  CHECK(desk.falls > static_cast<int>(limits::kAttemptsMax));
  CHECK(desk.counted().empty());
  desk.take(desk.hub.ack(kCouncil, shown[0].subscription, past));
  for (int second = 0; second < 3'600 && desk.dead_letters() == 0; ++second) {
    desk.publish(5'000 + kApart * second);
    desk.spend_ms(1'000);
  }
  CHECK(desk.given_up() == desk.poison);
}
