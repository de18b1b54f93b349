#include "broker/storage/verify_note.hpp"

#include <sodium.h>

#include <catch2/catch.hpp>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage::verify;

namespace {

// Of Go's documentation of sumdb/note: a key and a note that it signed.
constexpr std::string_view kPeterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const std::string kCheckpoint =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\xE2\x80\x94 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

std::string base64(BytesView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(text.size() - 1);
  return text;
}

/// A witness, as another agency would run one.
struct Witness {
  std::array<std::uint8_t, 32> open{};
  std::array<std::uint8_t, 64> secret{};
  Key key;

  Witness() {
    const std::array<std::uint8_t, 32> seed = {9, 9, 9};
    crypto_sign_ed25519_seed_keypair(open.data(), secret.data(), seed.data());
    key.name = "witness.example/w1";
    key.kind = Key::kCosignature;
    key.id = {1, 2, 3, 4};
    key.bytes = open;
  }

  std::string cosign(const std::string& body, std::uint8_t at_s) const {
    const std::string message = "cosignature/v1\ntime " + std::to_string(at_s) + "\n" + body;
    Bytes bytes = {1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, at_s};
    bytes.resize(12 + crypto_sign_ed25519_BYTES);
    crypto_sign_ed25519_detached(&bytes[12], nullptr, bytes_of(message).data(), message.size(),
                                 secret.data());
    return "\xE2\x80\x94 " + key.name + " " + base64(bytes) + "\n";
  }
};

}  // namespace

TEST_CASE("a published verifier key is read, and one wrong character is found") {
  const auto key = parse_key(kPeterKey);
  REQUIRE(key);
  CHECK(key->name == "PeterNeumann");
  CHECK(key->kind == Key::kNote);
  for (std::size_t at = 0; at < kPeterKey.size(); ++at) {
    std::string wrong(kPeterKey);
    wrong[at] = wrong[at] == 'B' ? 'C' : 'B';
    CHECK(!parse_key(wrong));
    CHECK(!parse_key(kPeterKey.substr(0, at)));
  }
  const std::string file = "# keys\n\n" + std::string(kPeterKey) + "\r\n";
  CHECK(parse_keys(file)->size() == 1);
  CHECK(parse_keys("")->empty());
  CHECK(!parse_keys(file + "nonsense\n"));
}

TEST_CASE("the published checkpoint is read as it says") {
  const auto checkpoint = parse_checkpoint(kCheckpoint);
  REQUIRE(checkpoint);
  CHECK(checkpoint->origin == "example.com/behind-the-sofa");
  CHECK(checkpoint->size == 20'852'163);
  CHECK(to_hex(checkpoint->root) == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
  REQUIRE(checkpoint->signatures.size() == 1);
  CHECK(checkpoint->signatures[0].bytes.size() == 64);
  CHECK(!signer_of(*checkpoint, {}));
}

TEST_CASE("what is no checkpoint is refused") {
  for (const std::string& text :
       {std::string(), std::string("\n\n"), std::string("a\n1\n"),
        kCheckpoint.substr(0, kCheckpoint.size() - 1), "\n" + kCheckpoint, kCheckpoint + "\n",
        kCheckpoint + "rest\n",
        std::string("o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\xE2\x80\x94 o AAAAAAA=\n"),
        std::string("o\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\xE2\x80\x94 o AAAAAAA=\n"),
        std::string("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2\n\n\xE2\x80\x94 o AAAAAAA=\n"),
        std::string("o\n1\nAAAA\n\n\xE2\x80\x94 o AAAAAAA=\n"),
        std::string("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n- o AAAAAAA=\n"),
        std::string("o\r\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\xE2\x80\x94 o AAAAAAA=\n"),
        std::string(kCheckpointBytesMax + 1, 'a')}) {
    CAPTURE(text.substr(0, 100));
    CHECK(parse_checkpoint(text).error().kind == ErrorKind::invalid);
  }
  // Of a note of many parts the last empty line begins the signatures.
  std::string many = kCheckpoint;
  for (std::size_t at = 1; at < kSignaturesMax; ++at) many += "\xE2\x80\x94 w AAAAAAA=\n";
  CHECK(parse_checkpoint(many)->signatures.size() == kSignaturesMax);
  many += "\xE2\x80\x94 w AAAAAAA=\n";
  const auto too_many = parse_checkpoint(many);
  REQUIRE(!too_many);
  CHECK_THAT(too_many.error().text, Catch::Contains("too many signatures"));
}

TEST_CASE(
    "a key that was replaced signs no tree of more entries than there were then, wherever that stands") {
  const Witness log;
  Key key = log.key;
  key.name = "log.example";
  const std::string line = last_size_text(key, 20);
  CHECK(line == "# log.example+01020304 signs no tree of more than 20 entries");
  const std::string own(kPeterKey);
  const std::string limit = "# PeterNeumann+c74f20a3 signs no tree of more than ";
  for (const std::string& list :
       {limit + "20 entries\n" + own + "\n", own + "\n" + limit + "20 entries\n",
        own + "\n" + limit + "20 entries: it was replaced\n" + limit + "30 entries\n"}) {
    CAPTURE(list);
    const auto keys = parse_keys(list);
    REQUIRE(keys);
    CHECK(keys->at(0).size_max == 20);
  }
  CHECK(parse_keys(own + "\n" + line + "\n")->at(0).size_max == UINT64_MAX);
  CHECK(parse_keys(own + "\n# a remark\n")->at(0).size_max == UINT64_MAX);
  CHECK(!parse_keys(own + "\n" + limit + "twenty entries\n"));
}

TEST_CASE("a witness's cosignature says who saw the checkpoint, and when") {
  const Witness witness;
  const std::string body = kCheckpoint.substr(0, kCheckpoint.find("\n\n") + 1);
  auto checkpoint = parse_checkpoint(kCheckpoint + witness.cosign(body, 77));
  REQUIRE(checkpoint);
  const auto cosigned = cosigners_of(*checkpoint, {witness.key});
  REQUIRE(cosigned);
  REQUIRE(cosigned->size() == 1);
  CHECK(cosigned->front().name == "witness.example/w1");
  CHECK(cosigned->front().at_s == 77);
  CHECK(cosigners_of(*checkpoint, {})->empty());
  checkpoint->signatures[1].bytes[7] ^= 1U;  // another time
  CHECK(!cosigners_of(*checkpoint, {witness.key}));
  checkpoint->signatures[1].bytes.resize(3);
  CHECK(!cosigners_of(*checkpoint, {witness.key}));
}

TEST_CASE("a flipped bit anywhere in a signed checkpoint is found") {
  const Witness log;
  const std::string body = "log.example\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  Bytes bytes = {1, 2, 3, 4};
  bytes.resize(4 + crypto_sign_ed25519_BYTES);
  crypto_sign_ed25519_detached(&bytes[4], nullptr, bytes_of(body).data(), body.size(), log.secret.data());
  const std::string text = body + "\n\xE2\x80\x94 log.example " + base64(bytes) + "\n";
  Key key = log.key;
  key.name = "log.example";
  key.kind = Key::kNote;
  REQUIRE(signer_of(*parse_checkpoint(text), {key}));
  for (std::size_t at = 0; at < text.size() * 8; ++at) {
    std::string wrong = text;
    wrong[at / 8] = static_cast<char>(static_cast<unsigned char>(wrong[at / 8]) ^ (1U << (at % 8)));
    const auto checkpoint = parse_checkpoint(wrong);
    CHECK((!checkpoint || !signer_of(*checkpoint, {key})));
  }
}
