#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// OperatorActions: a backup that was made, and one that was not.
constexpr const char* kBackupAction = "backup";
constexpr const char* kBackupFailedAction = "backup failed";

/// Copies of the ledger and the vault, as an operator asks for them: who may, and what is on record of it.
class Backups {
 public:
  Backups(const DeliveryContext& context, RefusedQuestions& refused) : context_(context), refused_(refused) {}

  /// Records the asking, a refused one, too; what is copied is copied once that is durable.
  Result<void> ask(const Peer& peer, const wire::Backup& frame, Timestamp now, Decision& out);

  /// Records how it ended; the last frame of the answer.
  Result<void> ended(const AskBackup& ask, const Result<Sequence>& copied, Timestamp now, Decision& out);

 private:
  DeliveryContext context_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
