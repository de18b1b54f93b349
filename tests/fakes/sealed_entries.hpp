#pragma once

#include <algorithm>
#include <vector>

#include "broker/storage/entry.hpp"
#include "tests/fakes/seeded_random.hpp"

namespace carehub::fakes {

/// An entry as a sealer would make it, with random bytes for its ciphertext. The same seed and sequence give
/// the same entry in every process, so that what a killed process wrote can be compared.
inline storage::SealedEntry sealed_entry(std::uint64_t seed, Sequence sequence, std::size_t bytes_max = 600) {
  SeededRandom random(seed * 1'000'003 + sequence);
  storage::SealedEntry entry;
  entry.header.kind = static_cast<storage::EntryKind>(1 + random.below(14));
  entry.header.sequence = sequence;
  entry.header.appended_at = {static_cast<std::int64_t>(1'700'000'000'000'000 + sequence * 1000)};
  random.fill(entry.header.key_id.bytes);
  random.fill(entry.nonce);
  entry.ciphertext.resize(storage::kTagBytes + random.below(bytes_max));
  random.fill(entry.ciphertext);
  entry.header.length = static_cast<std::uint32_t>(entry.ciphertext.size());
  entry.leaf = storage::leaf_hash(entry.header, entry.nonce, entry.ciphertext);
  return entry;
}

inline std::vector<storage::SealedEntry> sealed_batch(std::uint64_t seed, Sequence first, std::size_t count) {
  std::vector<storage::SealedEntry> batch;
  for (std::size_t at = 0; at < count; ++at) batch.push_back(sealed_entry(seed, first + at));
  return batch;
}

}  // namespace carehub::fakes
