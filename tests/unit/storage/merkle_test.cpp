#include "broker/storage/merkle.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <span>

#include "broker/storage/sha256.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

Hash leaf_of(BytesView data) {
  constexpr std::uint8_t kPrefix = 0x00;
  return sha256({BytesView(&kPrefix, 1), data});
}

/// MTH as RFC 6962 section 2.1 writes it.
Hash naive_root(std::span<const Hash> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves.front();
  std::size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  return node_hash(naive_root(leaves.first(split)), naive_root(leaves.subspan(split)));
}

}  // namespace

TEST_CASE("roots are those of the published certificate transparency vectors") {
  const std::vector<Bytes> leaves = {
      {},
      {0x00},
      {0x10},
      {0x20, 0x21},
      {0x30, 0x31},
      {0x40, 0x41, 0x42, 0x43},
      {0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57},
      {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f}};
  const std::vector<std::string> roots = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                          "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                          "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                          "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                          "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                          "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                          "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  MerkleFrontier tree;
  CHECK(to_hex(tree.root()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t at = 0; at < leaves.size(); ++at) {
    tree.append(leaf_of(leaves[at]));
    CHECK(tree.size() == at + 1);
    CHECK(to_hex(tree.root()) == roots[at]);
  }
}

TEST_CASE(
    "the frontier's root is the recursive definition's for random sizes, also when it was stored between") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  fakes::SeededRandom random(seed);
  for (int round = 0; round < 40; ++round) {
    std::vector<Hash> leaves(random.below(700));
    MerkleFrontier tree;
    for (Hash& leaf : leaves) {
      random.fill(leaf);
      tree.append(leaf);
      if (random.below(10) == 0) tree = MerkleFrontier::parse(tree.serialise()).value();
    }
    CHECK(tree.root() == naive_root(leaves));
  }
}

TEST_CASE("a frontier whose hashes do not fit its size is refused") {
  MerkleFrontier tree;
  for (int at = 0; at < 7; ++at) tree.append(Hash{});
  const Bytes whole = tree.serialise();
  CHECK(whole.size() == 8 + 3 * 32);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(!MerkleFrontier::parse(BytesView(whole).first(size)));
  Bytes other = whole;
  other[0] = 8;
  CHECK(!MerkleFrontier::parse(other));
}
