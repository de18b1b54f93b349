#pragma once

#include <vector>

#include "tests/fakes/engine_harness.hpp"

namespace carehub::fakes {

inline const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
inline const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kRole = "social-care-duty";

/// The hub with one subscription; what it delivers is gathered as it comes.
struct Desk {
  static constexpr std::uint32_t kDayMs = 86'400'000;

  explicit Desk(std::uint32_t ack_wait_ms = kDayMs) : hub(rules(ack_wait_ms)) {}
  explicit Desk(core::HubRules rules) : hub(std::move(rules)) {}
  static core::HubRules rules(std::uint32_t ack_wait_ms) {
    auto rules = EngineHarness::county();
    rules.subscriptions.resize(1);
    rules.subscriptions[0].retry.ack_wait_ms = ack_wait_ms;
    return rules;
  }

  EngineHarness hub;
  std::vector<wire::DeliveryT> got;

  void take(std::vector<Received> received) {
    for (auto& delivery : deliveries_of(received, kDesk)) got.push_back(std::move(delivery));
  }
  Sequence publish(int child, event::EventType type = event::EventType::admission) {
    EventSpec spec;
    spec.child = child;
    spec.type = type;
    std::vector<wire::PublishItemT> items;
    items.push_back(item_of(spec));
    auto received = hub.publish(kHospital, std::move(items));
    const auto sequence = frames_of<wire::PublishedT>(received).at(0).outcomes.at(0)->sequence;
    take(std::move(received));
    return sequence;
  }
  void subscribe(std::uint32_t credit = 256, const core::Peer& peer = kCouncil) {
    take(hub.subscribe(peer, kDesk, kRole, credit));
  }
  void ack(Sequence sequence) { take(hub.ack(kCouncil, kDesk, sequence)); }
  void nak(Sequence sequence, ledger::NakKind kind, std::uint32_t retry_after_ms = 0) {
    take(hub.nak(kCouncil, kDesk, sequence, kind, retry_after_ms));
  }
  void credit(std::uint32_t amount) {
    wire::CreditT credit;
    credit.subscription = kDesk;
    credit.amount = amount;
    take(hub.send(kCouncil, std::move(credit)));
  }
  void pass_ms(std::int64_t ms) { take(hub.pass_ms(ms)); }
  std::vector<Sequence> sequences() const {
    std::vector<Sequence> all;
    for (const auto& delivery : got) all.push_back(delivery.sequence);
    return all;
  }
  std::size_t dead_letters() const { return hub.entries(storage::EntryKind::dead_letter).size(); }
};

using Sequences = std::vector<Sequence>;

}  // namespace carehub::fakes
