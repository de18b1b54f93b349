#include "broker/storage/vault.hpp"

#include <catch2/catch.hpp>

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
  const SecretKey other(std::array<std::uint8_t, 32>{'J'});
  CHECK(to_hex(keyed_hash(other, kText).bytes) != "5bdcc146bf60754e6a042426089575c7");
  CHECK(to_hex(keyed_hash(key, kText).bytes) == "5bdcc146bf60754e6a042426089575c7");
}
