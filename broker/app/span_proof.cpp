#include "broker/app/span_proof.hpp"

#include <bit>

#include "broker/storage/merkle.hpp"

namespace carehub::app {
namespace {

/// The subtrees beside the way from the root down to a leaf: whether each is on its left. The leaf's sibling
/// first, as an inclusion proof has them.
std::vector<bool> left_siblings(std::uint64_t index, std::uint64_t size) {
  std::vector<bool> left;
  for (std::uint64_t first = 0, end = size; end - first > 1;) {
    const std::uint64_t middle = first + std::bit_floor(end - first - 1);
    left.insert(left.begin(), index >= middle);
    (index >= middle ? first : end) = middle;
  }
  return left;
}

/// Folds leaves and the subtrees beside them, in order, into one root.
class Fold {
 public:
  Fold(const SpanProof& proof, const std::vector<Hash>& leaves) : proof_(proof), leaves_(leaves) {}

  Result<Hash> of(std::uint64_t first, std::uint64_t end) {
    if (end < proof_.first || first >= proof_.last) return next_beside();
    if (end - first == 1) return leaves_[first - (proof_.first - 1)];
    const std::uint64_t middle = first + std::bit_floor(end - first - 1);
    auto left = of(first, middle);
    if (!left) return left;
    auto right = of(middle, end);
    if (!right) return right;
    return storage::node_hash(*left, *right);
  }
  bool used_all() const { return used_ == proof_.beside.size(); }

 private:
  Result<Hash> next_beside() {
    if (used_all()) return fail(ErrorKind::invalid, "the proof of the span is too short");
    return proof_.beside[used_++];
  }

  const SpanProof& proof_;
  const std::vector<Hash>& leaves_;
  std::size_t used_ = 0;
};

}  // namespace

Result<SpanProof> make_span_proof(Sequence first, Sequence last, std::uint64_t size,
                                  const storage::TreeReader::ReadTile& read) {
  if (first == 0 || first > last || last > size)
    return fail(ErrorKind::invalid, "a span is of entries that the tree has");
  storage::TreeReader tree(size, read);
  const auto to_first = tree.inclusion(first - 1);
  if (!to_first) return tl::unexpected(to_first.error());
  const auto to_last = tree.inclusion(last - 1);
  if (!to_last) return tl::unexpected(to_last.error());
  SpanProof proof{first, last, size, {}};
  const auto left = left_siblings(first - 1, size);
  for (std::size_t at = left.size(); at-- > 0;) {
    if (left[at]) proof.beside.push_back((*to_first)[at]);
  }
  const auto of_last = left_siblings(last - 1, size);
  for (std::size_t at = 0; at < of_last.size(); ++at) {
    if (!of_last[at]) proof.beside.push_back((*to_last)[at]);
  }
  return proof;
}

Result<Hash> root_of(const SpanProof& proof, const std::vector<Hash>& leaves) {
  if (proof.first == 0 || proof.first > proof.last || proof.last > proof.size ||
      leaves.size() != proof.last - proof.first + 1)
    return fail(ErrorKind::invalid, "the span has another number of entries than its proof says");
  Fold fold(proof, leaves);
  auto root = fold.of(0, proof.size);
  if (root && !fold.used_all()) return fail(ErrorKind::invalid, "the proof of the span is too long");
  return root;
}

}  // namespace carehub::app
