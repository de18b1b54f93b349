#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/storage/merkle.hpp"

/// The Merkle tree as C2SP tiles (https://c2sp.org/tlog-tiles): 256 hashes side by side, each of a subtree of
/// 256^level entries. Entry N of the ledger is leaf N - 1.
namespace carehub::storage {

constexpr std::size_t kTileWidth = 256;
constexpr unsigned kTileHeight = 8;
constexpr unsigned kTileLevelMax = 7;  // a tree of 2^64 leaves has no more

struct TileId {
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  auto operator<=>(const TileId&) const = default;
};

/// A full tile holds kTileWidth hashes, a partial one fewer.
using Tile = std::vector<Hash>;

/// How many hashes a tree of `size` leaves has at a level: its subtrees of 256^level leaves that are full.
std::uint64_t hashes_at(std::uint8_t level, std::uint64_t size);

/// Such as tile/0/x001/067, and tile/0/x001/067.p/12 where it is `width` hashes wide and not full.
std::string tile_path(TileId id, std::size_t width = kTileWidth);
struct TilePlace {
  TileId id;
  std::size_t width = kTileWidth;
};
/// The other way round. `invalid` for all that tile_path() does not give.
Result<TilePlace> parse_tile_path(std::string_view path);

/// A tile's hashes one after the other, and back. Parsing is `corrupt` unless it is a full tile.
Bytes tile_bytes(const Tile& tile);
Result<Tile> parse_full_tile(BytesView bytes);

/// The root of the perfect subtree over hashes whose number is a power of two.
Hash perfect_root(std::span<const Hash> hashes);

/// The right edge of a growing tree, by tiles: those that are not full, and those that have become full and
/// are not stored yet. Costs no hash beyond the frontier's own.
class TileEdge {
 public:
  void append(const Hash& leaf);
  const MerkleFrontier& tree() const { return tree_; }

  /// Each tile that has become full since the last trim().
  void for_each_full(const std::function<void(TileId id, std::span<const Hash> hashes)>& visit) const;
  /// Forgets the full ones: they are stored.
  void trim();

  /// The first `width` hashes of a tile that is here.
  std::optional<Tile> tile(TileId id, std::size_t width) const;

  /// The edge of a tree of `size` leaves that is stored: `full_tile` and `leaf` (of an index) read what is
  /// needed of it: at most 255 each and level. Their errors end it.
  static Result<TileEdge> load(std::uint64_t size, const std::function<Result<Tile>(TileId)>& full_tile,
                               const std::function<Result<Hash>(std::uint64_t index)>& leaf);

 private:
  struct Level {
    std::uint64_t first = 0;  // index of the first hash that is here, a tile's first
    std::vector<Hash> hashes;
  };
  std::vector<Level> levels_;
  MerkleFrontier tree_;
};

}  // namespace carehub::storage
