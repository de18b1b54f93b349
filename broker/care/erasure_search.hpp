#pragma once

#include <memory>

#include "broker/core/engine.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/state_store.hpp"

namespace carehub::care {

/// Looks through the whole ledger for what is about one person, a bounded part at a time: their events, under
/// whatever key, also those that the hub passed over as it folded; events of others that name them or that a
/// sender took for theirs; refused messages that name one of their identifiers. Records are one person's
/// where the newest link or merge that names both, in whosever chain, says so and is not taken back. It sees
/// what is durable. For one thread.
class ErasureSearch {
 public:
  /// All of it outlives the search. `person` as in Query, and `sequence:N` of an Erasure finds that again.
  ErasureSearch(const storage::Ledger& ledger, const storage::Sealer& sealer,
                const storage::StateStore& store, const storage::Vault& vault, std::string person);
  ~ErasureSearch();

  /// Looks at the next part; true once all was looked at. Errors: `invalid` (no such form of an identifier),
  /// `not_found` (an entry that is about no child), `overloaded` (ever more comes in that says who it is),
  /// and those of the ledger.
  Result<bool> advance();
  core::ErasureFindings take();
  /// The last entry that it has looked at. It may begin again, when it has found out who else it is.
  Sequence through() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::care
