#include "broker/storage/checkpoint.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "broker/storage/sha256.hpp"
#include "broker/storage/verify_note.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a checkpoint that was signed verifies by other code, under its own key alone") {
  fakes::SeededRandom random(5);
  const auto signer = CheckpointSigner::make("hub.northmarch.example/ledger", random);
  REQUIRE(signer);
  const Hash root = sha256({bytes_of("root")});
  const std::string text = signer->sign(20'852'163, root);
  const auto checkpoint = verify::parse_checkpoint(text);
  REQUIRE(checkpoint);
  CHECK(checkpoint->origin == "hub.northmarch.example/ledger");
  CHECK(checkpoint->size == 20'852'163);
  CHECK(checkpoint->root == root);
  const auto key = verify::parse_key(signer->public_text());
  REQUIRE(key);
  CHECK(verify::signer_of(*checkpoint, {*key})->name == signer->origin());

  const auto other = CheckpointSigner::make("hub.northmarch.example/ledger", random);
  const auto other_key = verify::parse_key(other->public_text());
  CHECK(!verify::signer_of(*checkpoint, {*other_key}));
  CHECK(verify::signer_of(*checkpoint, {*other_key, *key}));
}

TEST_CASE("a signing key survives being written and read, and a damaged one is found") {
  fakes::SeededRandom random(6);
  const auto signer = CheckpointSigner::make("carehub/northmarch", random);
  const std::string secret = signer->secret_text();
  CHECK(secret.starts_with("PRIVATE+KEY+carehub/northmarch+"));
  const auto again = CheckpointSigner::parse(secret);
  REQUIRE(again);
  CHECK(again->public_text() == signer->public_text());
  CHECK(again->sign(7, Hash{}) == signer->sign(7, Hash{}));
  for (std::size_t at = 0; at < secret.size(); ++at) {
    std::string wrong = secret;
    wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
    CHECK(CheckpointSigner::parse(wrong).error().kind == ErrorKind::corrupt);
    CHECK(!CheckpointSigner::parse(secret.substr(0, at)));
  }
}

TEST_CASE("an origin that a signed note cannot carry is refused") {
  fakes::SeededRandom random(7);
  for (const std::string& origin : {std::string(), std::string("two words"), std::string("a+b"),
                                    std::string("a\nb"), std::string(200, 'a'), std::string("\xFF")}) {
    CHECK(CheckpointSigner::make(origin, random).error().kind == ErrorKind::invalid);
  }
  CHECK(default_origin("Northmarch") == "carehub/northmarch");
  CHECK(default_origin("The Hub + 1") == "carehub/the-hub---1");
  CHECK(CheckpointSigner::make(default_origin(""), random));
}

TEST_CASE("a public file is replaced whole") {
  fakes::TemporaryDirectory work;
  const auto file = work.path() / "checkpoint";
  REQUIRE(replace_public_file(file, "one\n"));
  REQUIRE(replace_public_file(file, "two\n"));
  std::string line;
  std::getline(std::ifstream(file), line);
  CHECK(line == "two");
  CHECK(!std::filesystem::exists(file.string() + ".new"));
  CHECK(replace_public_file(work.path() / "nowhere" / "checkpoint", "x").error().kind ==
        ErrorKind::unavailable);
}
