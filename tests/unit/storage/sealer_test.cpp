#include "broker/storage/sealer.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "broker/base/limits.hpp"
#include "broker/storage/memory_vault.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

struct Bench {
  fakes::SeededRandom random{1};
  MemoryVault vault{random};
  Sealer sealer{vault, random};
  KeyId key = vault.mint().value();

  SealedEntry seal(Sequence sequence, BytesView body) {
    return sealer.seal(EntryKind::event, key, sequence, {5}, body).value();
  }
};

bool contains(BytesView bytes, std::string_view text) {
  return text_of(bytes).find(text) != std::string_view::npos;
}

}  // namespace

TEST_CASE("a body is sealed, encoded, decoded and opened again, whatever its size") {
  Bench bench;
  bench.sealer.begin_batch();
  Sequence sequence = 1;
  for (const std::size_t size : {0U, 1U, 255U, 256U, 257U, 5000U, 2'000'000U}) {
    Bytes body(size);
    SECTION("of one byte over and over " + std::to_string(size)) {}
    SECTION("of noise " + std::to_string(size)) { bench.random.fill(body); }
    const SealedEntry entry = bench.seal(sequence, body);
    const auto back = decode(encode(entry), sequence);
    REQUIRE(back);
    CHECK(bench.sealer.open(*back).value() == body);
    ++sequence;
  }
}

TEST_CASE("bodies are compressed when that pays, and never seen in clear") {
  Bench bench;
  bench.sealer.begin_batch();
  std::string text;
  for (int line = 0; line < 100; ++line) text += "the same line of a message ";
  const SealedEntry packed = bench.seal(1, bytes_of(text));
  CHECK(packed.header.codec == Codec::zstd);
  CHECK(packed.ciphertext.size() < text.size() / 4);
  const SealedEntry small = bench.seal(2, bytes_of("the same line"));
  CHECK(small.header.codec == Codec::none);
  CHECK(!contains(encode(small), "same"));
  Bytes noise(1000);
  bench.random.fill(noise);
  CHECK(bench.seal(3, noise).header.codec == Codec::none);
}

TEST_CASE("a nonce never comes twice, within a batch or when a batch is made again") {
  Bench bench;
  std::set<std::array<std::uint8_t, kNonceBytes>> seen;
  for (int batch = 0; batch < 20; ++batch) {
    bench.sealer.begin_batch();
    for (Sequence sequence = 1; sequence <= 20; ++sequence)
      seen.insert(bench.seal(sequence, bytes_of("x")).nonce);
  }
  CHECK(seen.size() == 400);
}

TEST_CASE("an entry opens only with its own clear bytes and while its key exists") {
  Bench bench;
  bench.sealer.begin_batch();
  const SealedEntry entry = bench.seal(9, bytes_of("body"));
  SealedEntry moved = entry;
  moved.header.sequence = 10;
  CHECK(bench.sealer.open(moved).error().kind == ErrorKind::corrupt);
  SealedEntry other = entry;
  other.header.key_id = bench.vault.mint().value();
  CHECK(bench.sealer.open(other).error().kind == ErrorKind::corrupt);
  SealedEntry cut = entry;
  cut.ciphertext.resize(3);
  CHECK(bench.sealer.open(cut).error().kind == ErrorKind::corrupt);
  REQUIRE(bench.vault.destroy({bench.key}));
  CHECK(bench.sealer.open(entry).error().kind == ErrorKind::not_found);
  CHECK(bench.sealer.seal(EntryKind::event, bench.key, 10, {5}, {}).error().kind == ErrorKind::not_found);
}

TEST_CASE("a body over the limit is refused before it is sealed") {
  Bench bench;
  bench.sealer.begin_batch();
  const Bytes body(limits::kBatchBytesMax);
  CHECK(bench.sealer.seal(EntryKind::event, bench.key, 1, {5}, body).error().kind == ErrorKind::invalid);
}

TEST_CASE("decompression is bounded by the declared size, and by the bytes that are there") {
  const Bytes plain(100'000, 7);
  const Bytes packed = compress(plain);
  CHECK(decompress(packed, plain.size()).value() == plain);
  CHECK(!decompress(packed, plain.size() - 1));
  CHECK(!decompress(BytesView(packed).first(packed.size() - 1), plain.size()));
  Bytes longer = packed;
  longer.push_back(0);
  CHECK(!decompress(longer, plain.size()));
  CHECK(!decompress(bytes_of("not a frame"), plain.size()));
  CHECK(!decompress({}, plain.size()));
}

TEST_CASE("what is under a withdrawn key is sealed still, and opened only for the fold") {
  Bench bench;
  bench.sealer.begin_batch();
  const auto before = bench.seal(1, bytes_of("a body"));
  const KeyId other = bench.vault.mint().value();
  bench.sealer.withdraw({bench.key});
  const auto behind = bench.seal(2, bytes_of("decided before"));
  const auto opened = bench.sealer.open(before);
  REQUIRE(!opened);
  CHECK(opened.error().kind == ErrorKind::not_found);
  CHECK(!bench.sealer.open(behind));
  CHECK(bench.sealer.open_withdrawn(before));
  CHECK(bench.sealer.withdrawn(bench.key));
  CHECK(!bench.sealer.withdrawn(other));
}
