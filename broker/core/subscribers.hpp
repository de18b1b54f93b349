#pragma once

#include "broker/core/day_keys.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"

namespace carehub::core {

class ReplaysInto;

/// Who subscribes to what: by configuration, or by a Subscribe frame.
class Subscribers {
 public:
  Subscribers(const DeliveryContext& context, Deliveries& deliveries, ReplaysInto& replays)
      : context_(context), deliveries_(deliveries), replays_(replays) {}

  /// Brings the recorded subscriptions in line with the configuration: created, changed, removed.
  Result<void> configure(const std::vector<Subscription>& configured, EngineState known, Timestamp now);

  Result<void> subscribe(const Peer& peer, const wire::Subscribe& frame, Sequence head, Timestamp now,
                         Decision& out);
  /// An operator has removed it: nobody else takes its name.
  void removed(const Subscription& subscription);
  void unsubscribe(const Peer& peer, const wire::Unsubscribe& frame, Timestamp now, Decision& out);

 private:
  struct Refusal {
    ErrorKind kind;
    std::string text;
  };
  static std::optional<Refusal> refusal(const wire::SubscribeT& wanted);
  Result<void> record(const Subscription& subscription, ledger::SubscriptionChange change,
                      const std::string& by, Timestamp now);
  Result<void> record_first(const Subscription& subscription, Sequence head, Course& course, Timestamp now);
  Result<std::optional<Refusal>> attach_durable(const Peer& peer, const wire::SubscribeT& wanted,
                                                Timestamp now, Decision& out);

  Result<void> add_replay(Subscription replay, const Course& course, Sequence head, Timestamp now);
  const EngineState::FormerSubscription* former(const std::string& name) const;
  /// Why nobody may make this subscription under its name now.
  Result<std::optional<Refusal>> creation_refusal(const Subscription& wanted);

  DeliveryContext context_;
  Deliveries& deliveries_;
  ReplaysInto& replays_;
  std::vector<EngineState::FormerSubscription> former_;  // removed, in order of their names
};

}  // namespace carehub::core
