#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

/// An auditor's own reading of a ledger's entries and of the tree over them: nothing of it is shared with
/// what writes entries and tiles.
namespace carehub::storage::verify {

/// SHA-256 with one context for many short inputs. For one thread.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hash of(BytesView one, BytesView two = {}, BytesView three = {}) const;
  Hash node(const Hash& left, const Hash& right) const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

struct EntryFacts {
  Hash leaf{};
  std::int64_t appended_at_us = 0;
  std::array<std::uint8_t, 72> leaf_data{};  // clear bytes and SHA-256(nonce, ciphertext)
};

/// Is this an entry of format version 1, of this sequence, whole, with the leaf hash that its bytes have?
/// `corrupt` says what is wrong with it.
Result<EntryFacts> entry(const Hasher& hasher, BytesView stored, Sequence sequence);

/// The tree as it grows, by rows of up to 256 hashes. A row that is full is handed on and becomes one hash of
/// the next row.
class GrowingTree {
 public:
  explicit GrowingTree(const Hasher& hasher) : hasher_(hasher) {}

  /// `full(level, index, row)` hears of each row of 256 that the leaf completes, and may mend it.
  template <class Full>
  void append(const Hash& leaf, Full full) {
    ++size_;
    Hash hash = leaf;
    for (std::size_t level = 0;; ++level) {
      if (rows_.size() == level) rows_.emplace_back();
      std::vector<Hash>& row = rows_[level];
      row.push_back(hash);
      if (row.size() < kWidth) return;
      full(level, (size_ >> (8U * (level + 1))) - 1, row);
      hash = perfect(row, 0, row.size());
      row.clear();
    }
  }
  std::uint64_t size() const { return size_; }
  Hash root() const;

 private:
  static constexpr std::size_t kWidth = 256;
  Hash perfect(const std::vector<Hash>& row, std::size_t first, std::size_t count) const;

  const Hasher& hasher_;
  std::uint64_t size_ = 0;
  std::vector<std::vector<Hash>> rows_;
};

}  // namespace carehub::storage::verify
