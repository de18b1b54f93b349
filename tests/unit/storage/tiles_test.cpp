#include "broker/storage/tiles.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "broker/storage/sha256.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

Hash leaf(std::uint64_t index) { return sha256({bytes_of("leaf " + std::to_string(index))}); }

}  // namespace

TEST_CASE("tiles have the names that C2SP gives them") {
  CHECK(tile_path({0, 1067}) == "tile/0/x001/067");
  CHECK(tile_path({0, 1067}, 12) == "tile/0/x001/067.p/12");
  CHECK(tile_path({1, 0}) == "tile/1/000");
  CHECK(tile_path({2, 1'234'067}) == "tile/2/x001/x234/067");
  for (const std::uint64_t index : {0ULL, 7ULL, 999ULL, 1000ULL, 1'234'067ULL, 72'057'594'037'927'935ULL}) {
    for (const std::size_t width : {1U, 12U, 255U, 256U}) {
      const TileId id{3, index};
      const auto read = parse_tile_path(tile_path(id, width));
      REQUIRE(read);
      CHECK(read->id == id);
      CHECK(read->width == width);
    }
  }
}

TEST_CASE("what is no tile's name is refused") {
  for (const char* path : {"",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "tile/0/67",
                           "tile/0/0067",
                           "tile/0/x067",
                           "tile/00/067",
                           "tile/8/067",
                           "tile/-1/067",
                           "tile/0/x000/067",
                           "tile/0/001/067",
                           "tile/0/x001/067/",
                           "tile/0/x001x067",
                           "tile/0/067.p/",
                           "tile/0/067.p/0",
                           "tile/0/067.p/01",
                           "tile/0/067.p/256",
                           "tile/0/067.p/12x",
                           "tile/0/06 ",
                           "tile/0/../067",
                           "tile/entries/067",
                           "/tile/0/067",
                           "tile/0/+67",
                           "tile/0/x999/x999/x999/x999/x999/x999/999",
                           "tile/0/x072/x057/x594/x037/x927/936"}) {
    CAPTURE(path);
    CHECK(!parse_tile_path(path));
  }
}

TEST_CASE("an edge gives each full tile once, with the hashes that the definition gives") {
  TileEdge edge;
  std::map<TileId, Tile> stored;
  std::vector<Hash> leaves;
  constexpr std::uint64_t kSize = 70'000;
  while (edge.tree().size() < kSize) {
    for (int at = 0; at < 700; ++at) {
      leaves.push_back(leaf(leaves.size()));
      edge.append(leaves.back());
    }
    edge.for_each_full([&](TileId id, std::span<const Hash> hashes) {
      CHECK(stored.emplace(id, Tile(hashes.begin(), hashes.end())).second);
    });
    edge.trim();
  }
  // The example of the specification: a tree of 70,000 leaves.
  CHECK(stored.size() == 273 + 1);
  CHECK(edge.tile({0, 273}, 112));
  CHECK(!edge.tile({0, 273}, 113));
  CHECK(edge.tile({1, 1}, 17));
  CHECK(edge.tile({2, 0}, 1));
  CHECK(!edge.tile({0, 272}, 1));
  CHECK(!edge.tile({3, 0}, 1));
  for (const auto& [id, tile] : stored) {
    if (id.level != 0) continue;
    CHECK(std::equal(tile.begin(), tile.end(),
                     leaves.begin() + static_cast<std::ptrdiff_t>(id.index * kTileWidth)));
    CHECK(parse_full_tile(tile_bytes(tile)) == tile);
  }
  const Tile& upper = stored.at({1, 0});
  for (std::uint64_t at = 0; at < upper.size(); ++at) CHECK(upper[at] == perfect_root(stored.at({0, at})));
}

TEST_CASE("an edge that is loaded from stored tiles is the one that grew") {
  std::map<TileId, Tile> stored;
  std::vector<Hash> leaves;
  TileEdge grown;
  const auto full_tile = [&](TileId id) -> Result<Tile> { return stored.at(id); };
  const auto stored_leaf = [&](std::uint64_t index) -> Result<Hash> { return leaves.at(index); };
  for (const std::uint64_t size : {0U, 1U, 255U, 256U, 257U, 511U, 512U, 1000U, 65'535U, 65'536U, 66'001U}) {
    while (leaves.size() < size) {
      leaves.push_back(leaf(leaves.size()));
      grown.append(leaves.back());
    }
    grown.for_each_full(
        [&](TileId id, std::span<const Hash> hashes) { stored[id] = Tile(hashes.begin(), hashes.end()); });
    grown.trim();
    const auto loaded = TileEdge::load(size, full_tile, stored_leaf);
    REQUIRE(loaded);
    CAPTURE(size);
    CHECK(loaded->tree().root() == grown.tree().root());
    CHECK(loaded->tree().size() == size);
    for (std::uint8_t level = 0; level < 3; ++level) {
      const auto width = static_cast<std::size_t>(hashes_at(level, size) % kTileWidth);
      if (width == 0) continue;
      const TileId id{level, hashes_at(level, size) / kTileWidth};
      REQUIRE(grown.tile(id, width));
      CHECK(loaded->tile(id, width) == grown.tile(id, width));
    }
  }
}

TEST_CASE("what cannot be read of a stored tree is the error of loading its edge") {
  const auto no_tile = [](TileId) -> Result<Tile> { return fail(ErrorKind::corrupt, "gone"); };
  const auto any_leaf = [](std::uint64_t) -> Result<Hash> { return Hash{}; };
  CHECK(TileEdge::load(255, no_tile, any_leaf));
  CHECK(TileEdge::load(256, no_tile, any_leaf).error().text == "gone");
  CHECK(parse_full_tile(Bytes(8191)).error().kind == ErrorKind::corrupt);
}
