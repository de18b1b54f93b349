#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// What operators do to the policy: another one takes the place of the one that decides, is recorded whole
/// with who and why, and decides from the next event on. What was offered before is judged by the old one.
class PolicyChanges {
 public:
  PolicyChanges(const DeliveryContext& context, Disclosure& disclosure, const Deliveries& deliveries,
                RefusedQuestions& refused)
      : context_(context), disclosure_(disclosure), deliveries_(deliveries), refused_(refused) {}

  /// Answers by Handled. Refused, and the policy that decides stays: a text with a fault, a role gone that a
  /// subscription is in, another version than was seen. A preview only says whether it would be.
  Result<void> handle(const Peer& peer, const wire::ChangePolicy& frame, Timestamp now, Decision& out);

 private:
  struct Refusal {
    ErrorKind kind;
    std::string why;
  };
  std::optional<Refusal> fault_of(const Peer& peer, const wire::ChangePolicy& frame) const;
  std::optional<Refusal> orphans_of(const Policy& policy) const;
  Result<Sequence> record(const Peer& peer, const wire::ChangePolicy& frame, Timestamp now);

  DeliveryContext context_;
  Disclosure& disclosure_;
  const Deliveries& deliveries_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
