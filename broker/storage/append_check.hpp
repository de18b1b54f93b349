#pragma once

#include <vector>

#include "broker/base/limits.hpp"
#include "broker/storage/entry.hpp"

namespace carehub::storage {

/// The loop takes in no more once a batch is half of limits::kBatch...Max; what the last frame then brings
/// about, for each subscription, belongs to the same batch and has to fit.
constexpr std::size_t kAppendEntriesMax = 16 * limits::kBatchEntriesMax;
constexpr std::size_t kAppendBytesMax = 16 * limits::kBatchBytesMax;

/// What every ledger demands of a batch before it takes it: some entries, within the limits, whose sequences
/// start at `next` without a gap, and whose leaf is set. Error `invalid`; nothing of the batch is appended
/// then.
Result<void> check_batch(const std::vector<SealedEntry>& batch, Sequence next);

/// The size of encode(entry).
std::size_t encoded_size(const SealedEntry& entry);

}  // namespace carehub::storage
