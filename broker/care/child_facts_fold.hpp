#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "schemas/ledger_generated.h"

/// Gathers what entries say of children that decides who may see their events.
namespace carehub::care {

/// The state has such rows from its first entry on.
void keep_child_facts(Rows& rows);
Result<bool> child_facts_kept(const RowReads& rows);

/// Comes behind the fold of people.
Result<void> fold_facts(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows);
/// Marks of a protected child, and which records are one child's.
Result<void> fold_said(const FoldEntry& entry, const ledger::OperatorAction& action, Rows& rows);
Result<void> fold_broken_glass(const FoldEntry& entry, const ledger::Access& access, Rows& rows);

}  // namespace carehub::care
