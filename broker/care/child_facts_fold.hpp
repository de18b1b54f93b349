#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/known_child.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"

/// What was said of each child that decides who may see the child's events: one row a child, sealed under a
/// key of theirs.
namespace carehub::care {

/// The state has such rows from its first entry on.
void keep_child_facts(Rows& rows);
Result<bool> child_facts_kept(const RowReads& rows);

/// Comes behind the fold of people.
Result<void> fold_facts(const FoldEntry& entry, const ledger::EventEntry& event,
                        const storage::Sealer& sealer, Rows& rows);
Result<void> fold_marks(const FoldEntry& entry, const ledger::OperatorAction& action,
                        const storage::Sealer& sealer, Rows& rows);
Result<void> fold_broken_glass(const FoldEntry& entry, const ledger::Access& access,
                               const storage::Sealer& sealer, Rows& rows);
void remove_facts(const PersonKey& person, Rows& rows);

/// Oldest first; none where the child has been erased.
Result<std::vector<core::ChildFact>> child_facts(const RowReads& rows, const storage::Sealer& sealer,
                                                 const PersonKey& person);

}  // namespace carehub::care
