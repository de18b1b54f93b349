#pragma once

#include <vector>

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/ledger_generated.h"

/// Links and merges, found by each identifier that they name, under whomever they are filed; and what a
/// record is called. All by keyed hashes.
namespace carehub::care {

/// Comes with the first entry: a state that an older version began lacks the rows of what it folded.
void keep_links(Rows& rows);
Result<bool> links_kept(const RowReads& rows);

void fold_links(const FoldEntry& entry, const ledger::EventEntry& event, const storage::SecretKey& index_key,
                Rows& rows);
/// As if the event at `sequence` had never been readable.
void remove_link(Sequence sequence, const ledger::EventEntry& event, const storage::SecretKey& index_key,
                 Rows& rows);

/// At most `rows_max`, as are those below.
Result<std::vector<KeyedHash>> names_of(const RowReads& rows, const PersonKey& person, std::size_t rows_max);
/// Each name in any of them once, at most so many.
Result<std::vector<KeyedHash>> names_in_links(const RowReads& rows, std::size_t names_max);
/// The oldest first.
Result<std::vector<Sequence>> links_naming(const RowReads& rows, const KeyedHash& identifier,
                                           std::size_t rows_max);

}  // namespace carehub::care
