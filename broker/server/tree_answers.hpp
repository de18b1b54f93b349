#pragma once

#include "broker/storage/ledger.hpp"
#include "schemas/wire_generated.h"

namespace carehub::server {

/// Answers what is asked of the Merkle tree over the ledger, and for entries as they are sealed. Sees what is
/// durable and opens nothing. Bounded work a question: a page of entries, or a tile or two of each level of
/// the tree. Thread-safe.
///
///   checkpoint  one row: text is the newest signed checkpoint, C2SP tlog-checkpoint; sequence its size
///   tile        one row: the hashes of the tile that `path` names, C2SP tlog-tiles, the leftmost first
///   proof       one row: hashes of RFC 6962 section 2.1, the lowest first, that lead from entry `sequence`,
///               or from the tree of the first `size` entries, to the checkpoint in the row's text
///   entries     a row each, as encode() of storage has it, from `sequence` (or behind `after`) up to `size`,
///               of those written down from first_at through last_at; 0: no bound
class TreeAnswers {
 public:
  explicit TreeAnswers(const storage::Ledger& ledger) : ledger_(ledger) {}

  /// Whether this is a kind of question for it.
  static bool answers(wire::QueryKind kind);

  /// Errors become the page's error and text.
  wire::PageT answer(const wire::QueryT& query) const;

 private:
  Result<wire::PageT> checkpoint() const;
  Result<wire::PageT> tile(const wire::QueryT& query) const;
  Result<wire::PageT> proof(const wire::QueryT& query) const;
  Result<wire::PageT> entries(const wire::QueryT& query) const;

  const storage::Ledger& ledger_;
};

}  // namespace carehub::server
