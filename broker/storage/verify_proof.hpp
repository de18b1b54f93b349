#pragma once

#include "broker/storage/verify_note.hpp"

namespace carehub::storage::verify {

constexpr std::size_t kProofBytesMax = 128U << 10U;
constexpr std::size_t kProofHashesMax = 64;

/// A proof as one file, https://c2sp.org/tlog-proof. Its extra data is the entry's leaf: clear bytes, and
/// SHA-256 of its nonce and ciphertext. Parsing believes nothing of it.
struct ProofFile {
  Bytes leaf_data;
  std::uint64_t index = 0;  // sequence - 1
  std::vector<Bytes> hashes;
  Checkpoint checkpoint;
};
Result<ProofFile> parse_proof(std::string_view text);

struct ProvenEntry {
  std::uint64_t sequence = 0;
  std::uint8_t kind = 0;
  std::int64_t appended_at_us = 0;
  std::uint64_t tree_size = 0;
  Hash leaf{};
  Key signer;
  std::vector<Cosigned> cosigned;
};
/// Is the entry in the tree that one of these keys signed? `invalid` says why not.
Result<ProvenEntry> proven_entry(const ProofFile& proof, const std::vector<Key>& keys);

}  // namespace carehub::storage::verify
