#pragma once

#include <vector>

#include "broker/storage/entry.hpp"

namespace carehub::storage {

/// What every ledger demands of a batch before it takes it: some entries, within the limits, whose sequences
/// start at `next` without a gap, and whose leaf is set. Error `invalid`; nothing of the batch is appended
/// then.
Result<void> check_batch(const std::vector<SealedEntry>& batch, Sequence next);

/// The size of encode(entry).
std::size_t encoded_size(const SealedEntry& entry);

}  // namespace carehub::storage
