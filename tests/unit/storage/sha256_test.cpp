#include "broker/storage/sha256.hpp"

#include <catch2/catch.hpp>

#include "broker/base/bytes.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("hashes are those of FIPS 180-4's examples, however the input is cut") {
  const auto abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(to_hex(sha256({bytes_of("abc")})) == abc);
  CHECK(to_hex(sha256({bytes_of("a"), {}, bytes_of("bc")})) == abc);
  CHECK(to_hex(sha256({bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")})) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(to_hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("keyed hashes are those of RFC 4231, one key after the other") {
  HmacSha256 mac;
  const std::array<std::uint8_t, 20> first = [] {
    std::array<std::uint8_t, 20> key{};
    key.fill(0x0b);
    return key;
  }();
  for (int round = 0; round < 2; ++round) {
    mac.set_key(first);
    CHECK(to_hex(mac.of(bytes_of("Hi There"))) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    mac.set_key(bytes_of("Jefe"));
    for (int again = 0; again < 2; ++again) {
      CHECK(to_hex(mac.of(bytes_of("what do ya want for nothing?"))) ==
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
  }
}
