#include "broker/storage/entry.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/sha256.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("an entry is laid out byte for byte as the format says") {
  SealedEntry entry;
  entry.header.kind = EntryKind::withheld;
  entry.header.codec = Codec::zstd;
  entry.header.length = 17;
  entry.header.sequence = 0x0102030405060708;
  entry.header.appended_at = {-2};
  entry.header.key_id.bytes.fill(0xAB);
  entry.nonce.fill(0xCD);
  entry.ciphertext.assign(17, 0xEF);
  entry.leaf = leaf_hash(entry.header, entry.nonce, entry.ciphertext);
  const Bytes bytes = encode(entry);
  REQUIRE(bytes.size() == 40 + 24 + 32 + 17);
  CHECK(to_hex(BytesView(bytes).first(64)) ==
        "01060100110000000807060504030201feffffffffffffff"
        "abababababababababababababababab"
        "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");

  Bytes sealed(24, 0xCD);
  sealed.resize(24 + 17, 0xEF);
  const Hash inner = sha256({sealed});
  Bytes leaf{0x00};
  leaf.insert(leaf.end(), bytes.begin(), bytes.begin() + 40);
  leaf.insert(leaf.end(), inner.begin(), inner.end());
  CHECK(entry.leaf == sha256({leaf}));
}

TEST_CASE("an entry is decoded into what was encoded") {
  for (Sequence sequence = 1; sequence <= 50; ++sequence) {
    const SealedEntry entry = fakes::sealed_entry(3, sequence);
    const auto back = decode(encode(entry), sequence);
    REQUIRE(back);
    CHECK(encode(*back) == encode(entry));
    CHECK(back->header.appended_at == entry.header.appended_at);
  }
}

TEST_CASE("each flipped bit, each cut and each added byte is found and named by sequence") {
  const Bytes whole = encode(fakes::sealed_entry(3, 41, 40));
  const auto corrupt = [](const Result<SealedEntry>& entry) {
    return !entry && entry.error().kind == ErrorKind::corrupt &&
           entry.error().text.find("entry 41 ") != std::string::npos;
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    CAPTURE(bit);
    CHECK(corrupt(decode(flipped, 41)));
  }
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(corrupt(decode(BytesView(whole).first(size), 41)));
  Bytes longer = whole;
  longer.push_back(0);
  CHECK(corrupt(decode(longer, 41)));
}

TEST_CASE("an entry in another one's place is found") {
  CHECK(!decode(encode(fakes::sealed_entry(3, 7)), 8));
}
