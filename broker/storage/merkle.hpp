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
  void append(const Hash& leaf) {
    append(leaf, [](unsigned, const Hash&) {});
  }
  /// `completed(height, hash)` hears of each full subtree that the leaf completes, itself (height 0) first.
  template <class Completed>
  void append(const Hash& leaf, Completed completed);
  std::uint64_t size() const { return size_; }
  /// The tree head. Of an empty tree: SHA-256 of nothing.
  Hash root() const;

  /// size u64 little-endian, then 32 bytes for each one-bit of the size, the highest first.
  Bytes serialise() const;
  static Result<MerkleFrontier> parse(BytesView bytes);

  /// The roots of the full subtrees, the largest first: one for each one-bit of the size.
  const std::vector<Hash>& peaks() const { return peaks_; }
  /// Of peaks that are known; there is one for each one-bit of `size`.
  static MerkleFrontier of(std::uint64_t size, std::vector<Hash> peaks);

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;  // one for each one-bit of size_
};

template <class Completed>
void MerkleFrontier::append(const Hash& leaf, Completed completed) {
  Hash subtree = leaf;
  unsigned height = 0;
  completed(height, subtree);
  // Like a carry in binary addition: each trailing one-bit is a full subtree of the same size to our left.
  for (std::uint64_t bits = size_; (bits & 1U) != 0; bits >>= 1U) {
    subtree = node_hash(peaks_.back(), subtree);
    peaks_.pop_back();
    completed(++height, subtree);
  }
  peaks_.push_back(subtree);
  ++size_;
}

}  // namespace carehub::storage
