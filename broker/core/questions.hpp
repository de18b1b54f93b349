#pragma once

#include <functional>

#include "broker/core/day_keys.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/mending.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// Who may ask what about the past: each question that shows a child's data is recorded as an Access before
/// it is answered. And what operators do about dead letters.
class Questions {
 public:
  Questions(const DeliveryContext& context, Deliveries& deliveries, RefusedQuestions& refused)
      : context_(context), deliveries_(deliveries), mending_(context, deliveries), refused_(refused) {}

  Result<void> query(const Peer& peer, const wire::Query& query, Timestamp now, Decision& out);
  /// `head`: where the ledger ends now; a replay ends there.
  Result<void> replay(const Peer& peer, const wire::Replay& replay, Sequence head, Timestamp now,
                      Decision& out);
  Result<void> handle_dead_letter(const Peer& peer, const wire::HandleDeadLetter& frame, Timestamp now,
                                  Decision& out);

 private:
  struct Asked;
  std::optional<std::string> denial(const Peer& peer, const std::string& role) const;
  Asked asked_of(const wire::Query& query) const;
  static void name_by_number(Asked& asked);
  Result<ledger::AccessT> access_of(const Peer& peer, const Asked& asked) const;
  Result<void> record_access(const Peer& peer, const Asked& asked, Timestamp now);
  /// Why, in the hub's own words.
  Result<void> record_refused(const Peer& peer, Asked asked, const std::string& why, Timestamp now);
  /// The correction that cancels what a dead letter tells of; 0: none.
  Result<Sequence> cancel_of_dead(const Pending& dead) const;
  /// Answers why, and writes it down.
  using Refuse = std::function<Result<void>(ErrorKind, const std::string&)>;
  Result<void> act(const Peer& peer, const wire::HandleDeadLetter& frame, const Pending& dead,
                   const Refuse& refuse, Timestamp now, Decision& out);

  DeliveryContext context_;
  Deliveries& deliveries_;
  Mending mending_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
