#include "broker/storage/vault.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/memory_vault.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("the keyed hash is HMAC-SHA-256, cut to sixteen bytes") {
  // RFC 4231 test case 2 with its key, "Jefe", padded by zeros, which is what HMAC does with a short key.
  std::array<std::uint8_t, 32> bytes{'J', 'e', 'f', 'e'};
  const SecretKey key(bytes);
  constexpr std::string_view kText = "what do ya want for nothing?";
  CHECK(to_hex(keyed_fingerprint(key, bytes_of(kText))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(keyed_hash(key, kText).bytes) == "5bdcc146bf60754e6a042426089575c7");
}

TEST_CASE("a vault in memory mints keys that differ and forgets those that are destroyed") {
  fakes::SeededRandom random(4);
  MemoryVault vault(random);
  const KeyId one = vault.mint().value();
  const KeyId two = vault.mint().value();
  CHECK(one != two);
  CHECK(vault.key(one)->bytes() != vault.key(two)->bytes());
  CHECK(vault.index_key().bytes() != vault.key(one)->bytes());
  vault.destroy(one);
  CHECK(vault.key(one).error().kind == ErrorKind::not_found);
  CHECK(vault.key(two));
}
