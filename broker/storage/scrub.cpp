#include "broker/storage/scrub.hpp"

#include <algorithm>

#include "broker/storage/proofs.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kReadBytes = 8U << 20U;

void tell(Scrub::Step& step, Sequence sequence, const std::string& fault) {
  if (step.faults++ > 0) return;
  step.first_bad = sequence;
  step.first_fault = fault;
}

/// Is it the ledger itself that cannot be read now, and not a part of it that is damaged?
bool is_closed(const Error& error) { return error.kind == ErrorKind::unavailable; }

void compare(const SealedEntry& entry, const Tile& tile, std::size_t column, Scrub::Step& step) {
  if (tile.empty() || entry.leaf == tile[column]) return;
  tell(step, entry.header.sequence,
       "entry " + std::to_string(entry.header.sequence) + " is not the one that its tile was made of");
}

}  // namespace

Result<Scrub::Step> Scrub::step() {
  Step step;
  const Sequence head = ledger_.head();
  if (end_ == 0) {
    end_ = head;
    if (next_ > end_) next_ = 1;
  }
  if (next_ > end_) {
    if (auto looked = look_at_checkpoint(step); !looked) return tl::unexpected(looked.error());
    step.ended = true;
    next_ = 1;
    end_ = 0;
    return step;
  }
  const std::uint64_t index = (next_ - 1) / kTileWidth;
  const Sequence first = index * kTileWidth + 1;
  const auto width = static_cast<std::size_t>(std::min<Sequence>(kTileWidth, head - first + 1));
  auto tile = ledger_.tile({0, index}, width);
  if (!tile && is_closed(tile.error())) return tl::unexpected(tile.error());
  if (!tile) tell(step, first, tile.error().text);
  const Tile hashes = tile ? *tile : Tile();
  if (auto looked = look_at_entries(first, hashes, width, step); !looked)
    return tl::unexpected(looked.error());
  if (hashes.size() == kTileWidth) {
    if (auto looked = look_above(hashes, index, step); !looked) return tl::unexpected(looked.error());
  }
  next_ = first + width;
  return step;
}

Result<void> Scrub::look_at_entries(Sequence first, const Tile& tile, std::size_t width, Step& step) const {
  for (std::size_t column = 0; column < width;) {
    const auto entries = ledger_.read(first + column, width - column, kReadBytes);
    if (!entries && is_closed(entries.error())) return tl::unexpected(entries.error());
    if (!entries || entries->empty()) {
      return look_at_each(first + column,
                          tile.empty() ? tile : Tile(tile.begin() + std::ptrdiff_t(column), tile.end()),
                          width - column, step);
    }
    for (const auto& entry : *entries) compare(entry, tile, column++, step);
  }
  return {};
}

/// One by one, so that a bad entry is one fault and those behind it are looked at.
Result<void> Scrub::look_at_each(Sequence first, const Tile& tile, std::size_t width, Step& step) const {
  for (std::size_t column = 0; column < width; ++column) {
    const auto entries = ledger_.read(first + column, 1, kReadBytes);
    if (!entries && is_closed(entries.error())) return tl::unexpected(entries.error());
    if (entries && !entries->empty()) {
      compare(entries->front(), tile, column, step);
      continue;
    }
    tell(step, first + column,
         entries ? "entry " + std::to_string(first + column) + " is missing" : entries.error().text);
  }
  return {};
}

/// Up from a full tile to the first that is not full: what it is there must be what its hashes make.
Result<void> Scrub::look_above(const Tile& tile, std::uint64_t index, Step& step) const {
  Hash hash = perfect_root(tile);
  for (std::uint8_t level = 1; level <= kTileLevelMax; ++level) {
    const auto column = static_cast<std::size_t>(index % kTileWidth);
    const TileId above{level, index / kTileWidth};
    const auto stored = ledger_.tile(above, column + 1);
    if (!stored && is_closed(stored.error())) return tl::unexpected(stored.error());
    const Sequence first = (index << (kTileHeight * level)) + 1;
    if (!stored) {
      tell(step, first, stored.error().text);
      return {};
    }
    if ((*stored)[column] != hash) {
      tell(step, first,
           tile_path(above) + " is not that of the tiles below it, over entry " + std::to_string(first) +
               " and those behind it");
    }
    if (column + 1 < kTileWidth) return {};
    hash = perfect_root(*stored);
    index /= kTileWidth;
  }
  return {};
}

Result<void> Scrub::look_at_checkpoint(Step& step) const {
  const auto text = ledger_.checkpoint();
  if (!text) return is_closed(text.error()) ? Result<void>(tl::unexpected(text.error())) : Result<void>();
  const auto checkpoint = verify::parse_checkpoint(*text);
  if (!checkpoint) {
    tell(step, 0, "the newest signed checkpoint: " + checkpoint.error().text);
    return {};
  }
  TreeReader reader(checkpoint->size,
                    [this](TileId id, std::size_t width) { return ledger_.tile(id, width); });
  const auto root = reader.root();
  if (!root && is_closed(root.error())) return tl::unexpected(root.error());
  if (!root) tell(step, 0, root.error().text);
  if (root && *root != checkpoint->root)
    tell(step, 0, "the tiles do not lead to the root of the newest signed checkpoint");
  return {};
}

}  // namespace carehub::storage
