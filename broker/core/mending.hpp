#pragma once

#include "broker/core/day_keys.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"

namespace carehub::core {

/// An operator's correction of an event that a receiver could not take. It is written down as a new event of
/// the original's agency, about the same child, and offered to the dead letter's subscription alone, as late;
/// that settles the dead letter. The original stays as it is, and so does all that the hub knows of the
/// child.
class Mending {
 public:
  Mending(const DeliveryContext& context, Deliveries& deliveries)
      : context_(context), deliveries_(deliveries) {}

  struct Refusal {
    ErrorKind kind = ErrorKind::invalid;
    std::string text;
  };
  /// Nothing, or why the frame's event cannot stand in for the dead letter.
  using Checked = Result<std::optional<Refusal>>;

  /// Answers with Handled, the entry of the OperatorAction; or says why not, which is for the caller to
  /// answer. All of it is in one step, the action last. An error means that the state could not be read:
  /// stop.
  Checked mend(const Peer& peer, const wire::HandleDeadLetter& frame, const Pending& dead,
               const std::string& by, Timestamp now, Decision& out);

  /// The event that the same frame made before; 0: none.
  Result<Sequence> made_before(const wire::HandleDeadLetter& frame) const;

  /// What was mended for one subscription is for it and the replays into it alone.
  static bool is_for(const ledger::EventEntry& entry, const Subscription& subscription);

 private:
  struct Mended;
  Checked prepare(const wire::HandleDeadLetter& frame, const Pending& dead, Timestamp now,
                  Mended& mended) const;
  Checked check_original(const Pending& dead, Mended& mended) const;
  Checked check_receiver(const Pending& dead, Timestamp now, Mended& mended) const;
  Checked find_child(const Pending& dead, Mended& mended) const;
  Sequence record(const Mended& mended, const Pending& dead, Timestamp now);
  Result<void> offer(const Mended& mended, const Pending& dead, Sequence sequence, Timestamp now);

  DeliveryContext context_;
  Deliveries& deliveries_;
};

}  // namespace carehub::core
