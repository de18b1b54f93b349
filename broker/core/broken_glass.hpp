#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/named_child.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// An agency's role is let in past its relationships to one child, for a reason and for a time: it is
/// recorded before anything is shown, and operators are told. What it then sees is for the rules that say
/// `break_glass_minutes`.
class BrokenGlass {
 public:
  BrokenGlass(const DeliveryContext& context, RefusedQuestions& refused)
      : context_(context), refused_(refused) {}

  /// Answers by Handled, with the entry and when it ends. Of whom the hub knows nobody but operators may
  /// find out: about somebody whom it does not know it says and records the same, and nothing comes of it.
  Result<void> handle(const Peer& peer, const wire::BreakGlass& frame, Timestamp now, Decision& out);

 private:
  struct Refusal {
    ErrorKind kind;
    std::string why;
  };
  std::optional<Refusal> fault_of(const Peer& peer, const wire::BreakGlass& frame) const;
  Result<void> refuse(const Peer& peer, const wire::BreakGlass& frame, const Refusal& refusal, Timestamp now,
                      Decision& out);

  DeliveryContext context_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
