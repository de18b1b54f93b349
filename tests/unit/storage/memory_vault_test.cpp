#include "broker/storage/memory_vault.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a vault in memory mints keys that differ and forgets those that are destroyed") {
  fakes::SeededRandom random(4);
  MemoryVault vault(random);
  const KeyId one = vault.mint().value();
  const KeyId two = vault.mint().value();
  CHECK(one != two);
  CHECK(vault.key(one)->bytes() != vault.key(two)->bytes());
  CHECK(vault.index_key().bytes() != vault.key(one)->bytes());
  REQUIRE(vault.destroy({one}));
  CHECK(vault.key(one).error().kind == ErrorKind::not_found);
  CHECK(vault.key(two));
}

TEST_CASE("the same randomness gives the same keys, so that a simulated run can be made again") {
  fakes::SeededRandom one(9);
  fakes::SeededRandom other(9);
  MemoryVault first(one);
  MemoryVault second(other);
  CHECK(first.index_key().bytes() == second.index_key().bytes());
  const KeyId id = first.mint().value();
  CHECK(second.mint().value() == id);
  CHECK(first.key(id)->bytes() == second.key(id)->bytes());
}

TEST_CASE("a key that was never minted, or is destroyed twice, harms no other") {
  fakes::SeededRandom random(4);
  MemoryVault vault(random);
  const KeyId kept = vault.mint().value();
  REQUIRE(vault.destroy({KeyId{}}));
  CHECK(vault.key(KeyId{}).error().kind == ErrorKind::corrupt);
  const KeyId gone = vault.mint().value();
  REQUIRE(vault.destroy({gone}));
  REQUIRE(vault.destroy({gone}));
  CHECK(vault.key(gone).error().kind == ErrorKind::not_found);
  CHECK(vault.key(kept));
}
