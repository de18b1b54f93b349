#include "broker/storage/verify_proof.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/proof_file.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

constexpr Sequence kSize = 300;

struct Proven {
  fakes::SeededRandom random{12};
  CheckpointSigner signer = *CheckpointSigner::make("carehub/northmarch", random);
  TileEdge tree;
  std::string checkpoint;
  std::vector<verify::Key> keys = {*verify::parse_key(signer.public_text())};

  Proven() {
    for (Sequence at = 1; at <= kSize; ++at) tree.append(fakes::sealed_entry(1, at).leaf);
    checkpoint = signer.sign(kSize, tree.tree().root());
  }

  Result<std::string> prove(const SealedEntry& entry) const {
    return make_proof(entry, *verify::parse_checkpoint(checkpoint), checkpoint,
                      [this](TileId id, std::size_t width) -> Result<Tile> { return *tree.tile(id, width); });
  }
};

Result<verify::ProvenEntry> check(std::string_view text, const std::vector<verify::Key>& keys) {
  const auto proof = verify::parse_proof(text);
  if (!proof) return tl::unexpected(proof.error());
  return verify::proven_entry(*proof, keys);
}

}  // namespace

TEST_CASE("a proof file proves what the entry is, when it came and who signed") {
  const Proven log;
  for (const Sequence sequence : {Sequence{1}, Sequence{256}, Sequence{257}, kSize}) {
    const SealedEntry entry = fakes::sealed_entry(1, sequence);
    const auto text = log.prove(entry);
    REQUIRE(text);
    const auto proven = check(*text, log.keys);
    if (!proven) FAIL(proven.error().text);
    CHECK(proven->sequence == sequence);
    CHECK(proven->kind == static_cast<std::uint8_t>(entry.header.kind));
    CHECK(proven->appended_at_us == entry.header.appended_at.us);
    CHECK(proven->tree_size == kSize);
    CHECK(proven->leaf == entry.leaf);
    CHECK(proven->signer.name == "carehub/northmarch");
    CHECK(!check(*text, {}));
  }
}

TEST_CASE("one flipped bit anywhere in a proof file is found") {
  const Proven log;
  const std::string text = *log.prove(fakes::sealed_entry(1, 17));
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string wrong = text;
    wrong[bit / 8] = static_cast<char>(static_cast<unsigned char>(wrong[bit / 8]) ^ (1U << (bit % 8)));
    CAPTURE(bit);
    CHECK(check(wrong, log.keys).has_value() == false);
  }
  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK(!check(std::string_view(text).substr(0, size), log.keys));
  }
  CHECK(!check(text + "more\n", log.keys));
  CHECK(!verify::parse_proof(std::string(verify::kProofBytesMax + 1, 'a')));
}

TEST_CASE("no proof is made of an entry that is not in the tree") {
  const Proven log;
  const auto other = log.prove(fakes::sealed_entry(2, 17));
  REQUIRE(!other);
  CHECK(other.error().kind == ErrorKind::corrupt);
  CHECK(log.prove(fakes::sealed_entry(1, kSize + 1)).error().kind == ErrorKind::invalid);
}
