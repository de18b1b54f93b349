#include "broker/storage/tiles.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include "broker/base/assert.hpp"

namespace carehub::storage {
namespace {

constexpr std::string_view kPrefix = "tile/";
constexpr std::string_view kPartial = ".p/";
constexpr std::uint64_t kGroup = 1000;
constexpr std::size_t kGroupDigits = 3;

/// Decimal without leading zeroes, in [0, most].
std::optional<std::uint64_t> parse_plain(std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc() && end == text.data() + text.size() &&
                    (text.size() == 1 || text.front() != '0') && value <= most;
  return good ? std::optional(value) : std::nullopt;
}

/// x001/x234/067
std::optional<std::uint64_t> parse_index(std::string_view text) {
  std::uint64_t index = 0;
  while (true) {
    const bool last = text.size() == kGroupDigits;
    if (!last && (text.size() < kGroupDigits + 2 || text[0] != 'x' || text[kGroupDigits + 1] != '/'))
      return std::nullopt;
    std::uint64_t group = 0;
    const std::string_view digits = text.substr(last ? 0 : 1, kGroupDigits);
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    std::from_chars(digits.data(), digits.data() + digits.size(), group);
    if (index > (UINT64_MAX >> kTileHeight) / kGroup) return std::nullopt;
    index = index * kGroup + group;
    if (index > UINT64_MAX >> kTileHeight) return std::nullopt;
    if (last) return index;
    text.remove_prefix(kGroupDigits + 2);
  }
}

}  // namespace

std::uint64_t hashes_at(std::uint8_t level, std::uint64_t size) {
  return level > kTileLevelMax ? 0 : size >> (kTileHeight * level);
}

std::string tile_path(TileId id, std::size_t width) {
  CAREHUB_ASSERT(width >= 1 && width <= kTileWidth, "a tile has 1 to 256 hashes");
  std::string index;
  for (std::uint64_t rest = id.index;; rest /= kGroup) {
    const std::string group = std::to_string(kGroup + rest % kGroup).substr(1);
    index.insert(0, index.empty() ? group : "x" + group + "/");
    if (rest < kGroup) break;
  }
  std::string path = std::string(kPrefix) + std::to_string(id.level) + "/" + index;
  if (width < kTileWidth) path.append(kPartial).append(std::to_string(width));
  return path;
}

Result<TilePlace> parse_tile_path(std::string_view path) {
  const auto wrong = fail(ErrorKind::invalid, "this is no tile's path, such as tile/0/x001/067.p/12");
  if (!path.starts_with(kPrefix)) return wrong;
  path.remove_prefix(kPrefix.size());
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return wrong;
  const auto level = parse_plain(path.substr(0, slash), kTileLevelMax);
  path.remove_prefix(slash + 1);
  TilePlace place;
  if (const auto partial = path.find(kPartial); partial != std::string_view::npos) {
    const auto width = parse_plain(path.substr(partial + kPartial.size()), kTileWidth - 1);
    if (!width || *width == 0) return wrong;
    place.width = static_cast<std::size_t>(*width);
    path = path.substr(0, partial);
  }
  const auto index = parse_index(path);
  if (!level || !index) return wrong;
  place.id = {static_cast<std::uint8_t>(*level), *index};
  // Two ways to write one index would be two names of one tile.
  if (!tile_path(place.id).ends_with("/" + std::string(path))) return wrong;
  return place;
}

Bytes tile_bytes(const Tile& tile) {
  Bytes out;
  out.reserve(tile.size() * sizeof(Hash));
  for (const Hash& hash : tile) out.insert(out.end(), hash.begin(), hash.end());
  return out;
}

Result<Tile> parse_full_tile(BytesView bytes) {
  if (bytes.size() != kTileWidth * sizeof(Hash)) {
    return fail(ErrorKind::corrupt, "a tile has " + std::to_string(bytes.size()) + " bytes, not 8192");
  }
  Tile tile(kTileWidth);
  for (std::size_t at = 0; at < kTileWidth; ++at) {
    std::copy_n(&bytes[at * sizeof(Hash)], sizeof(Hash), tile[at].begin());
  }
  return tile;
}

Hash perfect_root(std::span<const Hash> hashes) {
  CAREHUB_ASSERT(std::has_single_bit(hashes.size()), "a perfect subtree");
  Tile row(hashes.begin(), hashes.end());
  while (row.size() > 1) {
    for (std::size_t at = 0; at < row.size() / 2; ++at) row[at] = node_hash(row[2 * at], row[2 * at + 1]);
    row.resize(row.size() / 2);
  }
  return row.front();
}

void TileEdge::append(const Hash& leaf) {
  tree_.append(leaf, [this](unsigned height, const Hash& hash) {
    if (height % kTileHeight != 0) return;
    const std::size_t level = height / kTileHeight;
    if (levels_.size() <= level) levels_.resize(level + 1);
    levels_[level].hashes.push_back(hash);
  });
}

void TileEdge::for_each_full(
    const std::function<void(TileId id, std::span<const Hash> hashes)>& visit) const {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    std::span<const Hash> hashes = levels_[level].hashes;
    TileId id{static_cast<std::uint8_t>(level), levels_[level].first / kTileWidth};
    for (; hashes.size() >= kTileWidth; hashes = hashes.subspan(kTileWidth), ++id.index) {
      visit(id, hashes.first(kTileWidth));
    }
  }
}

void TileEdge::trim() {
  for (Level& level : levels_) {
    const std::size_t full = level.hashes.size() / kTileWidth * kTileWidth;
    level.hashes.erase(level.hashes.begin(), level.hashes.begin() + static_cast<std::ptrdiff_t>(full));
    level.first += full;
  }
}

std::optional<Tile> TileEdge::tile(TileId id, std::size_t width) const {
  if (id.level >= levels_.size()) return std::nullopt;
  const Level& level = levels_[id.level];
  const std::uint64_t first = id.index * kTileWidth;
  if (first < level.first || first - level.first + width > level.hashes.size()) return std::nullopt;
  const auto from = level.hashes.begin() + static_cast<std::ptrdiff_t>(first - level.first);
  return Tile(from, from + static_cast<std::ptrdiff_t>(width));
}

Result<TileEdge> TileEdge::load(std::uint64_t size, const std::function<Result<Tile>(TileId)>& full_tile,
                                const std::function<Result<Hash>(std::uint64_t index)>& leaf) {
  TileEdge edge;
  for (std::uint8_t number = 0; hashes_at(number, size) > 0; ++number) {
    Level level;
    const std::uint64_t end = hashes_at(number, size);
    level.first = end / kTileWidth * kTileWidth;
    for (std::uint64_t at = level.first; at < end; ++at) {
      Result<Hash> hash = Hash{};
      if (number == 0) {
        hash = leaf(at);
      } else {
        const auto below = full_tile({static_cast<std::uint8_t>(number - 1), at});
        if (!below) return tl::unexpected(below.error());
        hash = perfect_root(*below);
      }
      if (!hash) return tl::unexpected(hash.error());
      level.hashes.push_back(*hash);
    }
    edge.levels_.push_back(std::move(level));
  }
  std::vector<Hash> peaks;
  for (auto level = edge.levels_.rbegin(); level != edge.levels_.rend(); ++level) {
    std::span<const Hash> rest = level->hashes;
    for (std::size_t width = kTileWidth / 2; width > 0; width /= 2) {
      if (rest.size() < width) continue;
      peaks.push_back(perfect_root(rest.first(width)));
      rest = rest.subspan(width);
    }
  }
  edge.tree_ = MerkleFrontier::of(size, std::move(peaks));
  return edge;
}

}  // namespace carehub::storage
