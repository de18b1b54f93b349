#include "broker/storage/proofs.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/sha256.hpp"
#include "broker/storage/verify_tree.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

/// A tree whose tiles are all there, and its roots at every size.
struct Grown {
  TileEdge tiles;
  std::vector<Hash> leaves;
  std::vector<Hash> roots = {MerkleFrontier().root()};
  unsigned reads = 0;

  explicit Grown(std::uint64_t size) {
    while (leaves.size() < size) {
      leaves.push_back(sha256({bytes_of(std::to_string(leaves.size()))}));
      tiles.append(leaves.back());
      roots.push_back(tiles.tree().root());
    }
  }

  TreeReader reader(std::uint64_t size) {
    return TreeReader(size, [this](TileId id, std::size_t width) -> Result<Tile> {
      ++reads;
      auto tile = tiles.tile(id, width);
      if (!tile) return fail(ErrorKind::not_found, "no " + tile_path(id, width));
      return *std::move(tile);
    });
  }
};

std::vector<Bytes> as_bytes(const std::vector<Hash>& hashes) {
  std::vector<Bytes> out;
  for (const Hash& hash : hashes) out.emplace_back(hash.begin(), hash.end());
  return out;
}

}  // namespace

TEST_CASE("every proof of every small tree verifies, by other code, and only for what it is about") {
  Grown grown(70);
  for (std::uint64_t size = 0; size <= 70; ++size) {
    CHECK(grown.reader(size).root() == grown.roots[size]);
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto proof = grown.reader(size).inclusion(index);
      REQUIRE(proof);
      const auto hashes = as_bytes(*proof);
      CHECK(verify::inclusion(index, size, grown.leaves[index], hashes, grown.roots[size]));
      if (size > 1) {
        CHECK(!verify::inclusion((index + 1) % size, size, grown.leaves[index], hashes, grown.roots[size]));
      }
      CHECK(!verify::inclusion(index, size, grown.leaves[(index + 1) % 70], hashes, grown.roots[size]));
    }
    for (std::uint64_t earlier = 0; earlier <= size; ++earlier) {
      const auto proof = grown.reader(size).consistency(earlier);
      REQUIRE(proof);
      const auto hashes = as_bytes(*proof);
      CHECK(verify::consistency(earlier, size, hashes, grown.roots[earlier], grown.roots[size]));
      CHECK(!verify::consistency(earlier, size, hashes, grown.leaves[1], grown.roots[size]));
      if (earlier > 0)
        CHECK(!verify::consistency(earlier, size, hashes, grown.roots[earlier], grown.leaves[1]));
    }
  }
}

TEST_CASE("proofs of a tree of several levels of tiles read few of them") {
  constexpr std::uint64_t kSize = 66'301;
  Grown grown(kSize);
  fakes::SeededRandom random(3);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t size = 1 + random.below(kSize);
    const std::uint64_t index = random.below(size);
    CAPTURE(size, index);
    grown.reads = 0;
    const auto inclusion = grown.reader(size).inclusion(index);
    REQUIRE(inclusion);
    CHECK(grown.reads <= 6);
    CHECK(verify::inclusion(index, size, grown.leaves[index], as_bytes(*inclusion), grown.roots[size]));
    const auto consistency = grown.reader(size).consistency(index);
    REQUIRE(consistency);
    CHECK(verify::consistency(index, size, as_bytes(*consistency), grown.roots[index], grown.roots[size]));
    CHECK(grown.reader(size).root() == grown.roots[size]);
  }
}

TEST_CASE("no proof is made beyond the tree, and a tile that cannot be read is the error") {
  Grown grown(10);
  CHECK(grown.reader(10).inclusion(10).error().kind == ErrorKind::invalid);
  CHECK(grown.reader(0).inclusion(0).error().kind == ErrorKind::invalid);
  CHECK(grown.reader(10).consistency(11).error().kind == ErrorKind::invalid);
  CHECK(grown.reader(11).root().error().kind == ErrorKind::not_found);
  CHECK(!grown.reader(11).inclusion(3));
}
