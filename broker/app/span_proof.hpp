#pragma once

#include <functional>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/storage/proofs.hpp"

namespace carehub::app {

/// What shows a run of leaves to be all leaves of a tree from one place to another, none left out and none
/// put in: the hashes of the subtrees beside it, from the left to the right. With the leaves they give the
/// root.
struct SpanProof {
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t size = 0;  // of the tree
  std::vector<Hash> beside;
};

/// `invalid` unless 1 <= first <= last <= size; the reader's errors.
Result<SpanProof> make_span_proof(Sequence first, Sequence last, std::uint64_t size,
                                  const storage::TreeReader::ReadTile& read);

/// The root that leaves and proof lead to. `invalid` where their numbers do not fit.
Result<Hash> root_of(const SpanProof& proof, const std::vector<Hash>& leaves);

}  // namespace carehub::app
