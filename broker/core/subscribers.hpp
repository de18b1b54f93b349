#pragma once

#include "broker/core/day_keys.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"

namespace carehub::core {

/// Who subscribes to what: by configuration, or by a Subscribe frame.
class Subscribers {
 public:
  Subscribers(const DeliveryContext& context, Deliveries& deliveries)
      : context_(context), deliveries_(deliveries) {}

  /// Brings the recorded subscriptions in line with the configuration: created, changed, removed.
  Result<void> configure(const std::vector<Subscription>& configured, std::vector<Subscription> recorded,
                         Timestamp now);

  Result<void> subscribe(const Peer& peer, const wire::Subscribe& frame, Sequence head, Timestamp now,
                         Decision& out);
  void unsubscribe(const Peer& peer, const wire::Unsubscribe& frame, Timestamp now, Decision& out);

 private:
  struct Refusal {
    ErrorKind kind;
    std::string text;
  };
  static std::optional<Refusal> refusal(const wire::SubscribeT& wanted);
  Result<void> record(const Subscription& subscription, ledger::SubscriptionChange change,
                      const std::string& by, Timestamp now);
  Result<std::optional<Refusal>> attach_durable(const Peer& peer, const wire::SubscribeT& wanted,
                                                Timestamp now, Decision& out);

  DeliveryContext context_;
  Deliveries& deliveries_;
};

}  // namespace carehub::core
