#include "broker/storage/verify_entry.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/tiles.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("an auditor's reading agrees with the writer's, and finds every flipped bit of an entry") {
  const verify::Hasher hasher;
  const SealedEntry entry = fakes::sealed_entry(3, 77, 60);
  const Bytes stored = encode(entry);
  const auto facts = verify::entry(hasher, stored, 77);
  REQUIRE(facts);
  CHECK(facts->leaf == entry.leaf);
  CHECK(facts->appended_at_us == entry.header.appended_at.us);
  CHECK(verify::entry(hasher, stored, 78).error().kind == ErrorKind::corrupt);
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    Bytes wrong = stored;
    wrong[bit / 8] = static_cast<std::uint8_t>(wrong[bit / 8] ^ (1U << (bit % 8)));
    CHECK(!verify::entry(hasher, wrong, 77));
  }
  for (std::size_t size = 0; size < stored.size(); ++size)
    CHECK(!verify::entry(hasher, BytesView(stored).first(size), 77));
}

TEST_CASE("an auditor's tree has the writer's roots and tiles") {
  const verify::Hasher hasher;
  verify::GrowingTree tree(hasher);
  TileEdge edge;
  CHECK(tree.root() == edge.tree().root());
  std::vector<std::pair<TileId, Tile>> rows;
  for (std::uint64_t at = 0; at < 66'000; ++at) {
    const Hash leaf = hasher.of(bytes_of(std::to_string(at)));
    edge.append(leaf);
    tree.append(leaf, [&](std::size_t level, std::uint64_t number, const std::vector<Hash>& row) {
      rows.emplace_back(TileId{static_cast<std::uint8_t>(level), number}, row);
    });
    if (at < 600 || at % 997 == 0) CHECK(tree.root() == edge.tree().root());
  }
  std::size_t full = 0;
  edge.for_each_full([&](TileId id, std::span<const Hash> hashes) {
    ++full;
    const auto same = [&](const auto& row) {
      return row.first == id && std::equal(hashes.begin(), hashes.end(), row.second.begin());
    };
    CHECK(std::any_of(rows.begin(), rows.end(), same));
  });
  CHECK(full == rows.size());
}
