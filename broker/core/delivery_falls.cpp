#include "broker/core/delivery.hpp"

// What a delivery is blamed for: sessions that were lost over it, and receivers behind their clients that
// fell over it.

namespace carehub::core {
namespace {

constexpr std::uint32_t kLossesOfOutage = 2;  // sessions in a row that are lost without an answer

}  // namespace

void Delivery::lose(bool alone, Timestamp now) {
  lost_ = {*connection_, in_flight_.size()};
  if (watch() || in_flight_.empty()) return;
  // Nothing is said about an event while its receiver is unavailable, or where one that was not answered in
  // time may be the cause.
  alone = alone && breaker_.closed() && overdue_.empty();
  if (++lost_in_row_ >= kLossesOfOutage) breaker_.unavailable(0, now);
  for (auto next = in_flight_.begin(); next != in_flight_.end();) {
    const auto flight = next++;
    auto& suspicion = flight->second.delivery.suspicion;
    const bool blamed = suspicion.lost(alone, receiver_);
    if (!suspicion.suspected()) continue;
    flight->second.not_before = {now.us +
                                 backoff_us(subscription_.retry, suspicion.falls() - 1, context_.random)};
    if (blamed) blame(flight);
  }
}

void Delivery::blame(Flights::iterator flight) {
  auto& delivery = flight->second.delivery;
  auto& pending = delivery.pending;
  records_.nacked(pending, ledger::NakKind::failed, true, kConnectionLostCode);
  tell_of_blame(delivery, "connections in a row were lost over", untold_);
  if (++pending.counted < subscription_.retry.attempts_max) return;
  give_up(delivery, kConnectionLostCode, untold_);
  children_.settled(land(flight).delivery.pending.person);
}

void Delivery::tell_of_blame(const Waiting& delivery, const char* what, Decision& out) const {
  if (delivery.suspicion.blames() != 1) return;
  out.alarms.push_back({"receiver_falls_over", "subscription " + subscription_.name + ": " +
                                                   std::to_string(delivery.suspicion.falls()) + " " + what +
                                                   " event " + std::to_string(delivery.pending.sequence) +
                                                   ", while others are taken: that counts as failed"});
}

/// The hub itself has fallen over it, again and again.
void Delivery::go_round(const Waiting& waiting, Decision& out) {
  if (!watch()) {
    give_up(waiting, kHubFellOverCode, out);
    out.alarms.push_back(
        {"hub_falls_over", "subscription " + subscription_.name + ": event " +
                               std::to_string(waiting.pending.sequence) +
                               " is a dead letter, because the hub fell over delivering it again "
                               "and again"});
  }
  children_.settled(waiting.pending.person);
  more_now_ = true;
}

/// What is behind the client may have fallen over it. Where the receiver itself says how long to wait, it has
/// not; and nothing is said about an event while its receiver is unavailable (see lose()).
bool Delivery::felled(Suspicion& suspicion, const wire::NakItem& item, bool alone) {
  receiver_.fell(suspicion.suspected());
  if (item.retry_after_ms() > 0) {
    suspicion.clear();
    return false;
  }
  return suspicion.unavailable(alone && breaker_.closed() && overdue_.empty(), receiver_);
}

}  // namespace carehub::core
