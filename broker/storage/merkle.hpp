#pragma once

#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

/// SHA-256(0x01 || left || right), RFC 6962 section 2.1.
Hash node_hash(const Hash& left, const Hash& right);

/// The right edge of a growing RFC 6962 tree: the roots of its full subtrees, the largest first, at most 64.
/// Enough to append and to tell the root; proofs need the entries.
class MerkleFrontier {
 public:
  void append(const Hash& leaf);
  std::uint64_t size() const { return size_; }
  /// The tree head. Of an empty tree: SHA-256 of nothing.
  Hash root() const;

  /// size u64 little-endian, then 32 bytes for each one-bit of the size, the highest first.
  Bytes serialise() const;
  static Result<MerkleFrontier> parse(BytesView bytes);

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;  // one for each one-bit of size_
};

}  // namespace carehub::storage
