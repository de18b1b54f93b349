#pragma once

#include "broker/core/courses.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// Replays into subscriptions: a part of history that goes once more to a subscription's receiver, beside the
/// live deliveries and without a touch on them. Each is a durable subscription of its own, under a name that
/// nobody can take, from its making until all that it offers is settled.
class ReplaysInto {
 public:
  ReplaysInto(const DeliveryContext& context, Deliveries& deliveries, RefusedQuestions& refused)
      : context_(context), deliveries_(deliveries), refused_(refused) {}

  /// A Replay with `into`, answered by Handled with the name under which it runs.
  Result<void> start(const Peer& peer, const wire::Replay& frame, Sequence head, Timestamp now,
                     Decision& out);

  /// Settles what is pending as skipped and ends it; `record` says who and why. The entry of its end.
  Result<Sequence> stop(Delivery& replay, SubscriptionRecord record, Sequence head, Timestamp now);

  /// Ends those that have offered everything and of which nothing is left, dead letters included. Call it
  /// once the step's records are written.
  Result<void> end_done(Sequence head, Timestamp now);

  static constexpr std::size_t kActiveMax = 16;
  static constexpr std::size_t kOfOneActiveMax = 2;
  static constexpr std::uint32_t kCredit = 16;  // in flight, so that the live ones have the receiver
  static constexpr std::uint32_t kRateUsual = 600;

 private:
  struct Refusal {
    ErrorKind kind;
    std::string text;
  };
  std::optional<Refusal> refusal(const Peer& peer, const wire::Replay& frame);
  Result<tl::expected<Subscription, Refusal>> read(const wire::Replay& frame, Sequence head);

  DeliveryContext context_;
  Deliveries& deliveries_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
