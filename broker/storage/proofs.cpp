#include "broker/storage/proofs.hpp"

#include <algorithm>
#include <bit>

#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

/// The largest power of two below n: where RFC 6962 splits n leaves.
std::uint64_t split_of(std::uint64_t n) { return std::bit_floor(n - 1); }

tl::unexpected<Error> beyond(const char* what, std::uint64_t number, std::uint64_t size) {
  return fail(ErrorKind::invalid, std::string(what) + " " + std::to_string(number) + " is not in a tree of " +
                                      std::to_string(size) + " entries");
}

}  // namespace

Result<Hash> TreeReader::root() { return hash({0, size_}); }

Result<std::vector<Hash>> TreeReader::inclusion(std::uint64_t index) {
  if (index >= size_) return beyond("index", index, size_);
  std::vector<Span> siblings;
  for (Span span{0, size_}; span.end - span.first > 1;) {
    const std::uint64_t middle = span.first + split_of(span.end - span.first);
    siblings.push_back(index < middle ? Span{middle, span.end} : Span{span.first, middle});
    span = index < middle ? Span{span.first, middle} : Span{middle, span.end};
  }
  std::reverse(siblings.begin(), siblings.end());
  return hashes(siblings);
}

Result<std::vector<Hash>> TreeReader::consistency(std::uint64_t earlier) {
  if (earlier > size_) return beyond("the earlier size", earlier, size_);
  if (earlier == 0 || earlier == size_) return std::vector<Hash>();
  // SUBPROOF of RFC 6962 section 2.1.2, from the top down.
  std::vector<Span> spans;
  Span span{0, size_};
  while (earlier != span.end) {
    const std::uint64_t middle = span.first + split_of(span.end - span.first);
    spans.push_back(earlier <= middle ? Span{middle, span.end} : Span{span.first, middle});
    span = earlier <= middle ? Span{span.first, middle} : Span{middle, span.end};
  }
  if (span.first != 0) spans.push_back(span);  // else it is the earlier tree itself, which the asker has
  std::reverse(spans.begin(), spans.end());
  return hashes(spans);
}

Result<std::vector<Hash>> TreeReader::hashes(const std::vector<Span>& spans) {
  std::vector<Hash> out;
  for (const Span& span : spans) {
    const Result<Hash> one = hash(span);
    if (!one) return tl::unexpected(one.error());
    out.push_back(*one);
  }
  return out;
}

Result<Hash> TreeReader::hash(Span leaves) {
  const std::uint64_t count = leaves.end - leaves.first;
  if (count == 0) return sha256({});
  if (std::has_single_bit(count)) return perfect(leaves);
  const std::uint64_t middle = leaves.first + split_of(count);
  Result<Hash> left = hash({leaves.first, middle});
  if (!left) return left;
  Result<Hash> right = hash({middle, leaves.end});
  if (!right) return right;
  return node_hash(*left, *right);
}

Result<Hash> TreeReader::perfect(Span leaves) {
  const auto height = static_cast<unsigned>(std::countr_zero(leaves.end - leaves.first));
  const auto level = static_cast<std::uint8_t>(height / kTileHeight);
  const std::uint64_t first = leaves.first >> (kTileHeight * level);
  const TileId id{level, first / kTileWidth};
  auto known = tiles_.find(id);
  if (known == tiles_.end()) {
    const std::uint64_t width = hashes_at(level, size_) - id.index * kTileWidth;
    Result<Tile> tile = read_(id, static_cast<std::size_t>(std::min<std::uint64_t>(width, kTileWidth)));
    if (!tile) return tl::unexpected(tile.error());
    known = tiles_.emplace(id, std::move(*tile)).first;
  }
  const std::size_t count = std::size_t{1} << (height % kTileHeight);
  return perfect_root(std::span(known->second).subspan(static_cast<std::size_t>(first % kTileWidth), count));
}

}  // namespace carehub::storage
