#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/state_reader.hpp"
#include "schemas/ledger_generated.h"

/// Which messages came before: for the duplicate check, without a time window.
namespace carehub::care {

Result<void> fold_publications(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows);
/// A refused message is known again, too, unless nothing says what makes it the same one.
/// The rows of an event that is being erased.
Result<void> remove_publication(Sequence sequence, const ledger::EventEntry& event, Rows& rows);
/// And of the message that was refused under a key of its own.
Result<void> remove_refused(const KeyId& key, Rows& rows);
void fold_refused(const FoldEntry& entry, const ledger::Refusal& refusal, Rows& rows);

Result<core::KnownPublication> known_publication(const RowReads& rows, const Fingerprint& fingerprint,
                                                 const KeyedHash& identity);

}  // namespace carehub::care
