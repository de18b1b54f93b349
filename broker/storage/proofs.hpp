#pragma once

#include <functional>
#include <map>

#include "broker/storage/tiles.hpp"

namespace carehub::storage {

/// Reads the Merkle tree of the first `size` entries out of its tiles: its root, and proofs of RFC 6962
/// section 2.1. Each tile is read once, at most one a level and edge for a proof. A reader's error ends what
/// was asked. For one thread.
class TreeReader {
 public:
  /// `width` is how much of a tile the tree of that size has.
  using ReadTile = std::function<Result<Tile>(TileId id, std::size_t width)>;
  TreeReader(std::uint64_t size, ReadTile read) : size_(size), read_(std::move(read)) {}

  Result<Hash> root();
  /// The hashes that lead from a leaf to the root, the leaf's sibling first. `invalid` beyond the tree.
  Result<std::vector<Hash>> inclusion(std::uint64_t index);
  /// The hashes that show the tree of the first `earlier` leaves to be the beginning of this one. `invalid`
  /// beyond the tree.
  Result<std::vector<Hash>> consistency(std::uint64_t earlier);

 private:
  struct Span {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
  };
  Result<Hash> hash(Span leaves);
  Result<Hash> perfect(Span leaves);
  Result<std::vector<Hash>> hashes(const std::vector<Span>& spans);

  std::uint64_t size_;
  ReadTile read_;
  std::map<TileId, Tile> tiles_;
};

}  // namespace carehub::storage
