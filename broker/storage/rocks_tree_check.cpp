#include "broker/storage/rocks_tree_check.hpp"

#include <algorithm>
#include <bit>

#include "broker/storage/file.hpp"
#include "broker/storage/proofs.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

/// The subtrees of one size in turn, the largest first; `visit(first, last, at)` of its entries and its
/// place.
template <class Visit>
void for_each_peak(std::uint64_t size, Visit visit) {
  std::uint64_t first = 1;
  std::size_t at = 0;
  for (std::uint64_t width = std::bit_floor(size); width > 0; width /= 2) {
    if ((size & width) == 0) continue;
    visit(first, first + width - 1, at++);
    first += width;
  }
}

/// Each tile above the lowest holds the roots of those below it.
Result<void> upper_difference(const LedgerDatabase& database, const std::filesystem::path& place,
                              std::uint64_t first_leaf, std::uint64_t end_leaf) {
  for (std::uint8_t level = 1; hashes_at(level, end_leaf) >= kTileWidth; ++level) {
    const std::uint64_t end = hashes_at(level, end_leaf) / kTileWidth;
    for (std::uint64_t index = hashes_at(level, first_leaf) / kTileWidth; index < end; ++index) {
      const Result<Tile> tile = database.full_tile({level, index});
      if (!tile) return tl::unexpected(tile.error());
      for (std::size_t at = 0; at < kTileWidth; ++at) {
        const TileId id{static_cast<std::uint8_t>(level - 1), index * kTileWidth + at};
        const Result<Tile> below = database.full_tile(id);
        if (!below) return tl::unexpected(below.error());
        if (perfect_root(*below) == (*tile)[at]) continue;
        return fail(ErrorKind::corrupt, place.string() + ": " + tile_path({level, index}) +
                                            " does not hold the root of " + describe_tile(id) + ". " +
                                            kRestore);
      }
    }
  }
  return {};
}

/// The tiles say another tree than the mark and the entries: which entry is the first that they differ about?
tl::unexpected<Error> first_difference(const LedgerDatabase& database, const std::filesystem::path& place,
                                       const MerkleFrontier& tiles, const MerkleFrontier& entries) {
  Sequence from = 0;
  Sequence to = 0;
  for_each_peak(entries.size(), [&](Sequence first, Sequence last, std::size_t at) {
    if (from != 0 || tiles.peaks()[at] == entries.peaks()[at]) return;
    from = first;
    to = last;
  });
  Tile tile;
  for (std::uint64_t index = from - 1; index < to; ++index) {
    const std::size_t column = static_cast<std::size_t>(index % kTileWidth);
    if (column == 0 || tile.empty()) {
      if (index / kTileWidth == entries.size() / kTileWidth) break;  // no full tile
      const Result<Tile> stored = database.full_tile({0, index / kTileWidth});
      if (!stored) return tl::unexpected(stored.error());
      tile = *stored;
    }
    const Result<Hash> leaf = database.leaf(index);
    if (!leaf) return tl::unexpected(leaf.error());
    if (*leaf == tile[column]) continue;
    return fail(ErrorKind::corrupt, place.string() + ": ledger entry " + std::to_string(index + 1) +
                                        " is not the one that " + tile_path({0, index / kTileWidth}) +
                                        " was made of. " + kRestore);
  }
  if (auto upper = upper_difference(database, place, from - 1, to); !upper)
    return tl::unexpected(upper.error());
  return fail(ErrorKind::corrupt,
              place.string() + ": ledger entries " + std::to_string(from) + " to " + std::to_string(to) +
                  " are not those that the mark was written for. Do ledger and mark belong "
                  "together? " +
                  kRestore);
}

Result<Hash> root_at(const LedgerDatabase& database, const TileEdge& edge, std::uint64_t size) {
  TreeReader reader(size, [&](TileId id, std::size_t width) -> Result<Tile> {
    if (auto open = edge.tile(id, width)) return *std::move(open);
    Result<Tile> stored = database.full_tile(id);
    if (stored) stored->resize(width);
    return stored;
  });
  return reader.root();
}

Result<void> check_one(const LedgerDatabase& database, const fs::path& place, const TileEdge& edge,
                       const std::string& where, std::string_view text, const SignedState& state) {
  const auto checkpoint = trusted_checkpoint(text, state.keys, where);
  if (!checkpoint) return fail(checkpoint.error().kind, checkpoint.error().text + ". " + kRestore);
  const std::uint64_t head = edge.tree().size();
  if (checkpoint->size > head) {
    return missing_entry(place, head + 1,
                         "A signed checkpoint covers it. Restore the data directory from a "
                         "backup, or let a person decide: carehub recover --accept-loss");
  }
  const Result<Hash> root = root_at(database, edge, checkpoint->size);
  if (!root) return tl::unexpected(root.error());
  if (*root == checkpoint->root) return {};
  return fail(ErrorKind::corrupt, place.string() + ": ledger entries 1 to " +
                                      std::to_string(checkpoint->size) +
                                      " are not those that the checkpoint was signed for (" + where +
                                      "). Do they belong together? " + kRestore);
}

Result<std::string> whole_text(const fs::path& path) {
  auto file = File::open_to_read(path);
  if (!file && file.error().kind == ErrorKind::not_found) return std::string();
  if (!file) return tl::unexpected(file.error());
  const auto bytes = file->read_at(0, verify::kCheckpointBytesMax + 1);
  if (!bytes) return tl::unexpected(bytes.error());
  if (bytes->empty()) return fail(ErrorKind::corrupt, path.string() + " is empty. " + kRestore);
  return std::string(text_of(*bytes));
}

}  // namespace

Result<SignedState> read_signed_state(const fs::path& data_directory) {
  SignedState state;
  auto text = whole_text(data_directory / kCheckpointFile);
  if (!text) return tl::unexpected(text.error());
  state.checkpoint = std::move(*text);
  auto keys = listed_keys(data_directory / kCheckpointKeysFile);
  if (!keys) return tl::unexpected(keys.error());
  state.keys = std::move(*keys);
  for (const fs::path& file : lost_checkpoints(data_directory)) {
    auto lost = whole_text(file);
    if (!lost) return tl::unexpected(lost.error());
    state.lost.push_back(std::move(*lost));
  }
  return state;
}

Result<verify::Checkpoint> trusted_checkpoint(std::string_view text, const std::vector<verify::Key>& keys,
                                              const std::string& where) {
  auto checkpoint = verify::parse_checkpoint(text);
  const auto signer = checkpoint ? verify::signer_of(*checkpoint, keys)
                                 : Result<verify::Key>(tl::unexpected(checkpoint.error()));
  if (signer) return *std::move(checkpoint);
  return fail(ErrorKind::corrupt, where + ": " + signer.error().text +
                                      ". Is it another hub's, or was it changed? Keys that may sign are "
                                      "listed in " +
                                      kCheckpointKeysFile);
}

Result<void> check_tiles(const LedgerDatabase& database, const std::filesystem::path& place,
                         CheckedLedger& checked) {
  const Result<bool> tiled = database.tiled();
  if (!tiled) return tl::unexpected(tiled.error());
  if (!*tiled) return {};
  Result<TileEdge> edge = database.edge(checked.tree.size());
  if (!edge) return tl::unexpected(edge.error());
  checked.tiled = true;
  checked.edge = std::move(*edge);
  if (checked.edge.tree().root() == checked.tree.root()) return {};
  return first_difference(database, place, checked.edge.tree(), checked.tree);
}

Result<void> check_signed(const LedgerDatabase& database, const fs::path& place, const TileEdge& edge,
                          const SignedState& state) {
  if (!state.checkpoint.empty()) {
    const std::string where = (place.parent_path() / kCheckpointFile).string();
    if (auto good = check_one(database, place, edge, where, state.checkpoint, state); !good) return good;
  }
  const Result<std::string> stored = database.checkpoint();
  if (!stored) return tl::unexpected(stored.error());
  if (stored->empty() || *stored == state.checkpoint) return {};
  // Of before the loss: the next one that is signed replaces it.
  if (std::find(state.lost.begin(), state.lost.end(), *stored) != state.lost.end()) return {};
  return check_one(database, place, edge, place.string() + ", its newest checkpoint", *stored, state);
}

}  // namespace carehub::storage
