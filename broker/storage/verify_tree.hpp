#pragma once

#include <span>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

/// What an auditor checks, by code that shares nothing with what writes trees, signs checkpoints and makes
/// proofs: other functions, and another library's SHA-256. Every input may come from anybody.
namespace carehub::storage::verify {

/// SHA-256(0x00 || data), RFC 6962 section 2.1.
Hash leaf_of(BytesView data);

/// Do these hashes, the leaf's sibling first, lead from the leaf (index from 0) of a tree of `size` to its
/// root? RFC 9162 section 2.1.3.2. `invalid` says why not; hashes of any other length than 32 are refused.
Result<void> inclusion(std::uint64_t index, std::uint64_t size, BytesView leaf, std::span<const Bytes> proof,
                       BytesView root);

/// Is the tree of `earlier` leaves the beginning of that of `later`? RFC 9162 section 2.1.4.2.
Result<void> consistency(std::uint64_t earlier, std::uint64_t later, std::span<const Bytes> proof,
                         BytesView earlier_root, BytesView later_root);

}  // namespace carehub::storage::verify
