#include "broker/storage/cosigner.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/sha256.hpp"
#include "broker/storage/verify_note.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a cosignature verifies by other code, with its time, under its own key alone") {
  fakes::SeededRandom random(41);
  const auto log = CheckpointSigner::make("hub.northmarch.example/ledger", random);
  const auto witness = Cosigner::make("witness.march.example", random);
  const auto other = Cosigner::make("witness.march.example", random);
  REQUIRE(witness);
  const std::string text = log->sign(4711, sha256({bytes_of("root")}));
  const auto body = verify::parse_checkpoint(text)->body;
  const auto cosigned = verify::parse_checkpoint(text + witness->cosign(body, 1'772'355'600));
  REQUIRE(cosigned);
  const auto log_key = verify::parse_key(log->public_text());
  const auto key = verify::parse_key(witness->public_text());
  REQUIRE(key);
  CHECK(verify::signer_of(*cosigned, {*log_key, *key}));
  const auto seen = verify::cosigners_of(*cosigned, {*log_key, *key});
  REQUIRE(seen);
  REQUIRE(seen->size() == 1);
  CHECK(seen->front().name == "witness.march.example");
  CHECK(seen->front().at_s == 1'772'355'600);
  CHECK(verify::cosigners_of(*cosigned, {*verify::parse_key(other->public_text())})->empty());

  const auto stolen = verify::parse_checkpoint(log->sign(4712, {}) + witness->cosign(body, 1'772'355'600));
  CHECK_FALSE(verify::cosigners_of(*stolen, {*key}));
}

TEST_CASE("the largest time is written whole") {
  fakes::SeededRandom random(42);
  const auto witness = Cosigner::make("w", random);
  const auto key = verify::parse_key(witness->public_text());
  const std::string body = "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  const auto cosigned = verify::parse_checkpoint(body + "\n" + witness->cosign(body, UINT64_MAX));
  REQUIRE(cosigned);
  CHECK(verify::cosigners_of(*cosigned, {*key})->front().at_s == UINT64_MAX);
}

TEST_CASE("a witness's key is its owner's alone, never overwritten, and found out when it is damaged") {
  fakes::SeededRandom random(43);
  fakes::TemporaryDirectory work;
  const auto file = work.path() / "witness.key";
  CHECK(read_cosigner(file).error().kind == ErrorKind::not_found);
  const auto witness = Cosigner::make("witness.march.example", random);
  REQUIRE(write_cosigner(file, *witness));
  CHECK(read_cosigner(file)->public_text() == witness->public_text());
  CHECK(write_cosigner(file, *witness).error().kind == ErrorKind::conflict);

  std::filesystem::permissions(file, std::filesystem::perms(0644));
  CHECK(read_cosigner(file).error().kind == ErrorKind::invalid);
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const auto log = CheckpointSigner::make("carehub/northmarch", random);
  for (const std::string& wrong : {std::string(), log->secret_text(), witness->secret_text().substr(1)}) {
    std::ofstream(file, std::ios::trunc) << wrong << "\n";
    const auto read = read_cosigner(file);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == ErrorKind::corrupt);
    CHECK(read.error().text.find(file.string()) != std::string::npos);
  }
}
