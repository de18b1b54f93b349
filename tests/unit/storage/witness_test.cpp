#include "broker/storage/witness.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/sha256.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

constexpr std::uint64_t kNow = 1'772'355'600;

/// A log as a hub shows it.
struct Log {
  explicit Log(CheckpointSigner signer_in) : signer(std::move(signer_in)) {}

  void grow(std::uint64_t size, const std::string& history = "the true one") {
    for (std::uint64_t at = tiles.tree().size(); at < size; ++at)
      tiles.append(sha256({bytes_of(history + std::to_string(at))}));
  }
  std::string checkpoint() const { return signer.sign(tiles.tree().size(), tiles.tree().root()); }
  TreeReader::ReadTile reader() {
    return [this](TileId id, std::size_t width) -> Result<Tile> {
      ++reads;
      auto tile = tiles.tile(id, width);
      if (!tile) return fail(ErrorKind::not_found, "no " + tile_path(id, width));
      return *std::move(tile);
    };
  }
  std::vector<verify::Key> keys() const { return {*verify::parse_key(signer.public_text())}; }

  CheckpointSigner signer;
  TileEdge tiles;
  int reads = 0;
};

struct Field {
  Field()
      : log(*CheckpointSigner::make("hub.northmarch.example/ledger", random)),
        cosigner(*Cosigner::make("witness.march.example", random)) {}

  /// One that remembers what the one before it did.
  Witness witness() const { return Witness(*WitnessMemory::open(work.path()), cosigner); }
  Result<Witness::Cosignature> look(Log& at) const {
    return witness().look(at.checkpoint(), at.keys(), at.reader(), kNow);
  }
  std::size_t evidence() const {
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(work.path()))
      files += file.path().string().find(".fork.") != std::string::npos ? 1U : 0U;
    return files;
  }

  fakes::SeededRandom random{51};
  fakes::TemporaryDirectory work;
  Log log;
  Cosigner cosigner;
};

}  // namespace

TEST_CASE("a log that grows is cosigned at each size, also by a witness that was started again") {
  Field field;
  const auto key = verify::parse_key(field.cosigner.public_text());
  for (const std::uint64_t size : {1U, 2U, 3U, 255U, 256U, 257U, 700U, 70'000U}) {
    CAPTURE(size);
    field.log.grow(size);
    const auto word = field.look(field.log);
    REQUIRE(word);
    CHECK(word->size == size);
    CHECK(word->grown);
    const auto read = verify::parse_checkpoint(word->checkpoint);
    REQUIRE(read);
    CHECK(verify::signer_of(*read, field.log.keys()));
    CHECK(verify::cosigners_of(*read, {*key})->front().at_s == kNow);
  }
  const auto again = field.look(field.log);
  REQUIRE(again);
  CHECK_FALSE(again->grown);
}

TEST_CASE("a smaller tree is not signed, and is no proof of anything") {
  Field field;
  field.log.grow(30);
  REQUIRE(field.look(field.log));
  Log shorter(field.log.signer);
  shorter.grow(29);
  CHECK(field.look(shorter).error().kind == ErrorKind::conflict);
  CHECK(field.evidence() == 0);
  shorter.grow(31);
  CHECK(field.look(shorter));
}

TEST_CASE("another root at the same size, or a larger tree of another history, is a fork for ever") {
  Field field;
  field.log.grow(300);
  REQUIRE(field.look(field.log));
  Log other(field.log.signer);
  other.grow(10);
  other.grow(GENERATE(300U, 301U, 5'000U), "another one");
  const auto found = field.look(other);
  REQUIRE_FALSE(found);
  CHECK(found.error().kind == ErrorKind::corrupt);
  CHECK(found.error().text.find("ANOTHER HISTORY") != std::string::npos);
  CHECK(field.evidence() == 2);

  // Not even the true history is signed, until a person has looked at it.
  field.log.grow(301);
  const auto after = field.look(field.log);
  REQUIRE_FALSE(after);
  CHECK(after.error().kind == ErrorKind::corrupt);
  for (const auto& file : std::filesystem::directory_iterator(field.work.path())) {
    if (file.path().string().find(".fork.") != std::string::npos) std::filesystem::remove(file.path());
  }
  CHECK(field.look(field.log));
}

TEST_CASE("the proof of a fork is two checkpoints that the log itself signed") {
  Field field;
  field.log.grow(7);
  REQUIRE(field.look(field.log));
  Log other(field.log.signer);
  other.grow(7, "another one");
  REQUIRE_FALSE(field.look(other));
  std::vector<verify::Checkpoint> kept;
  for (const auto& file : std::filesystem::directory_iterator(field.work.path())) {
    if (file.path().string().find(".fork.") == std::string::npos) continue;
    std::ifstream in(file.path());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const auto read = verify::parse_checkpoint(text);
    REQUIRE(read);
    CHECK(verify::signer_of(*read, field.log.keys()));
    kept.push_back(*read);
  }
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].size == kept[1].size);
  CHECK(kept[0].root != kept[1].root);
}

TEST_CASE("what no known key of the log signed is not looked at further") {
  Field field;
  field.log.grow(5);
  Log stranger(*CheckpointSigner::make("hub.northmarch.example/ledger", field.random));
  stranger.grow(5);
  const auto refused = field.witness().look(stranger.checkpoint(), field.log.keys(), stranger.reader(), kNow);
  CHECK(refused.error().kind == ErrorKind::invalid);
  CHECK(field.witness().look("no checkpoint", field.log.keys(), field.log.reader(), kNow).error().kind ==
        ErrorKind::invalid);
  CHECK(stranger.reads == 0);
  CHECK(field.evidence() == 0);
}

TEST_CASE("tiles that do not come are no proof: the next look tries again") {
  Field field;
  field.log.grow(5);
  REQUIRE(field.look(field.log));
  field.log.grow(9);
  const auto away = field.witness().look(
      field.log.checkpoint(), field.log.keys(),
      [](TileId, std::size_t) -> Result<Tile> { return fail(ErrorKind::unavailable, "the hub is away"); },
      kNow);
  CHECK(away.error().kind == ErrorKind::unavailable);
  CHECK(field.evidence() == 0);
  CHECK(field.look(field.log));
}

TEST_CASE("a witness whose memory is damaged, in any byte of what counts, signs nothing of that log") {
  Field field;
  field.log.grow(5);
  const auto word = field.look(field.log);
  REQUIRE(word);
  field.log.grow(6);
  std::filesystem::path file;
  for (const auto& each : std::filesystem::directory_iterator(field.work.path()))
    if (each.path().extension() == ".checkpoint") file = each.path();
  const std::string good = word->checkpoint;
  const std::size_t counts = field.log.signer.sign(5, {}).size() - 1;
  for (std::size_t at = 0; at < counts; ++at) {
    std::string wrong = good;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x01);
    std::ofstream(file, std::ios::trunc | std::ios::binary) << wrong;
    const auto refused = field.look(field.log);
    CAPTURE(at);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::corrupt);
  }
  std::ofstream(file, std::ios::trunc) << "";
  CHECK(field.look(field.log).error().kind == ErrorKind::corrupt);
  CHECK(field.evidence() == 0);
  std::ofstream(file, std::ios::trunc | std::ios::binary) << good;
  CHECK(field.look(field.log));
}
