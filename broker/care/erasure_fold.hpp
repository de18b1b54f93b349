#pragma once

#include <functional>

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/state_reader.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/ledger_generated.h"

/// What is left of a person's rows behind an Erasure: none, as if their entries had never been readable.
namespace carehub::care {

/// An entry's body; no bytes where it has been erased.
using PastBodies = std::function<Result<core::StoredBody>(Sequence)>;

/// Removes the person's rows, which it finds along the chain of their events. Error `corrupt`: there are such
/// rows, but the events cannot be read any more, since the vault went further than the state store, of which
/// the end is lost: the state is made again from the ledger then, and has no such rows.
Result<void> fold_erasure(const FoldEntry& entry, const ledger::Erasure& erasure, const PastBodies& past,
                          const storage::SecretKey& index_key, Rows& rows);

/// Every key that an Erasure names.
Result<std::vector<KeyId>> erased_key_rows(const RowReads& rows);

}  // namespace carehub::care
