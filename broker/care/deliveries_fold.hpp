#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/state_reader.hpp"
#include "schemas/ledger_generated.h"

/// What each subscription still has to take, what it took, and what was given up.
namespace carehub::care {

Result<void> fold_offered(const FoldEntry& entry, const ledger::Offered& offered, Rows& rows);
Result<void> fold_acked(const FoldEntry& entry, const ledger::Acked& acked, Rows& rows);
Result<void> fold_withheld(const ledger::Withheld& withheld, Rows& rows);
Result<void> fold_nacked(const ledger::Nacked& nacked, Rows& rows);
Result<void> fold_dead_letter(const FoldEntry& entry, const ledger::DeadLetter& letter, Rows& rows);
/// What was pending in the range of a `skipped` is over; nothing for another change.
Result<void> fold_skipped(const FoldEntry& entry, const ledger::SubscriptionChanged& change, Rows& rows);
/// A child was erased: what was pending for them is settled as skipped, their dead letters and gaps are gone.
Result<void> fold_forgotten(const FoldEntry& entry, const std::string& subscription, const PersonKey& person,
                            Rows& rows);
Result<void> fold_operator_action(const ledger::OperatorAction& action, Rows& rows);

struct DeadRow {
  core::Pending delivery;
  std::uint32_t attempts = 0;
  Timestamp at;
  std::string code;
};
Result<std::optional<DeadRow>> dead_row(const RowReads& rows, const std::string& subscription,
                                        Sequence sequence);
Result<DeadRow> decode_dead(Sequence sequence, std::string_view row);

struct BacklogRow {
  std::uint64_t pending = 0;
  std::uint64_t dead = 0;
  std::uint64_t gaps = 0;  // children whose next delivery comes after a gap
};
Result<BacklogRow> backlog_row(const RowReads& rows, std::string_view subscription);
/// What has become of a replay into a subscription; zeros once it has ended.
Result<core::ReplayCounts> replay_row(const RowReads& rows, std::string_view name);

}  // namespace carehub::care
