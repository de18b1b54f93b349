#pragma once

#include "broker/base/bytes.hpp"
#include "broker/storage/entry.hpp"

namespace carehub::care {

/// One entry as a fold sees it.
struct FoldEntry {
  Sequence sequence = 0;
  Timestamp appended_at;
  storage::EntryKind kind = storage::EntryKind::event;
  KeyId key_id;
  BytesView body;  // verified ledger::Body; empty when erased
};

}  // namespace carehub::care
