#pragma once

#include <catch2/catch.hpp>

#include "broker/core/replays_into.hpp"
#include "tests/fakes/engine_harness.hpp"

/// A replay into the council's subscription: who asks for it, and the client that takes it.
namespace carehub::replay_desk {

using namespace fakes;
using ledger::SubscriptionChange;
using storage::EntryKind;
using wire::SubscriptionAction;

inline const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
inline const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
inline const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kRole = "social-care-duty";

inline wire::ReplayT replaying(const std::string& into = kDesk) {
  wire::ReplayT frame;
  frame.number = 7;
  frame.into = into;
  frame.by = "o.perator";
  frame.reason = "their server lost a day";
  frame.rate_per_minute = 600'000;
  return frame;
}

inline wire::HandledT asked(EngineHarness& hub, wire::ReplayT frame, const core::Peer& peer = kOperator) {
  auto received = hub.send(peer, std::move(frame));
  auto handled = frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  CHECK(handled.front().number == 7);
  return std::move(handled.front());
}

inline std::string start(EngineHarness& hub, wire::ReplayT frame) {
  const auto handled = asked(hub, std::move(frame));
  REQUIRE(handled.error == wire::ErrorKind::unknown);
  CHECK(handled.subscription == core::replay_name(kDesk, handled.sequence));
  return handled.subscription;
}

inline wire::ErrorKind act(EngineHarness& hub, SubscriptionAction action, const std::string& name) {
  wire::HandleSubscriptionT frame;
  frame.action = action;
  frame.subscription = name;
  frame.reason = "a test";
  auto received = hub.send(kOperator, std::move(frame));
  return frames_of<wire::HandledT>(received).at(0).error;
}

/// Published; what leaves at once is `left`.
inline Sequence admit(EngineHarness& hub, int child, std::vector<Received>& left,
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
inline Sequence admit(EngineHarness& hub, int child) {
  std::vector<Received> nobody;
  return admit(hub, child, nobody);
}

/// The council's client: what it was sent in each stream, answered with yes as long as it is told to.
struct Desk {
  explicit Desk(EngineHarness& hub_in) : hub(hub_in) { take(hub.subscribe(kCouncil, kDesk, kRole)); }

  Sequence admit(int child, event::EventType type = event::EventType::admission) {
    std::vector<Received> left;
    const auto sequence = replay_desk::admit(hub, child, left, type);
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

inline std::vector<Sequence> numbers(const std::vector<wire::DeliveryT>& deliveries) {
  std::vector<Sequence> sequences;
  for (const auto& delivery : deliveries) sequences.push_back(delivery.sequence);
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

/// Changes of replays, in order.
inline std::vector<ledger::SubscriptionChangedT> changes(const EngineHarness& hub,
                                                         SubscriptionChange change) {
  std::vector<ledger::SubscriptionChangedT> found;
  for (const auto& [sequence, body] : hub.entries(EntryKind::subscription_changed)) {
    const auto& entry = entry_of<ledger::SubscriptionChangedT>(body);
    if (entry.change == change && !entry.replay_of.empty()) found.push_back(entry);
  }
  return found;
}

/// The live rows, and those that a rebuild makes.
inline void check_rebuilt(EngineHarness& hub) {
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

}  // namespace carehub::replay_desk
