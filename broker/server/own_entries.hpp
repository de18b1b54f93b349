#pragma once

#include <vector>

#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::server {

/// An entry's body as bytes.
Bytes body_bytes(ledger::OperatorActionT action);
Bytes body_bytes(ledger::ErasureT erasure);

/// Appends entries of the hub's own to an open ledger that nobody else appends to, and waits until each batch
/// is durable. All under one key and of one time.
class OwnEntries {
 public:
  OwnEntries(storage::Ledger& ledger, storage::Sealer& sealer, const KeyId& key, Timestamp at)
      : ledger_(ledger), sealer_(sealer), key_(key), at_(at), next_(ledger.head() + 1) {}

  Result<void> add(storage::EntryKind kind, const Bytes& body);
  Result<void> flush();
  Sequence next() const { return next_; }

 private:
  storage::Ledger& ledger_;
  storage::Sealer& sealer_;
  KeyId key_;
  Timestamp at_;
  Sequence next_;
  std::vector<storage::SealedEntry> batch_;
};

}  // namespace carehub::server
