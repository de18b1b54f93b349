#include "broker/storage/signing_key.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/own_memory.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
namespace fs = std::filesystem;

namespace {

const std::string kOrigin = "carehub/northmarch";
constexpr Sequence kReplacedAt = 7;

struct Bench {
  fakes::TemporaryDirectory work;
  fakes::SeededRandom random{8};
  SigningPlace place{work.path() / "signing.key", work.path() / "checkpoint.keys"};

  Result<CheckpointSigner> open(const std::string& origin = kOrigin) {
    return open_signing_key(place, origin, random);
  }
  CheckpointSigner rotate(const std::string& origin = kOrigin) {
    auto next = CheckpointSigner::make(origin, random);
    REQUIRE(next);
    REQUIRE(rotate_signing_key(place, *next, kReplacedAt));
    return *next;
  }
  std::string list() const {
    std::ifstream in(place.public_file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void list(const std::string& text) const { std::ofstream(place.public_file, std::ios::trunc) << text; }
};

}  // namespace

TEST_CASE("a signing key is made once, for its owner's eyes only, and its public key is listed") {
  Bench bench;
  const auto made = bench.open();
  REQUIRE(made);
  CHECK((fs::status(bench.place.secret_file).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(bench.open()->public_text() == made->public_text());
  const auto keys = listed_keys(bench.place.public_file);
  REQUIRE(keys);
  REQUIRE(keys->size() == 1);
  CHECK(keys->front().name == kOrigin);
  CHECK(listed_keys(bench.work.path() / "none")->empty());
}

TEST_CASE("after a rotation what the old key signed still verifies, and the old key signs no more") {
  Bench bench;
  const auto old = bench.open();
  REQUIRE(old);
  const std::string checkpoint = old->sign(3, Hash{});
  const auto saved = bench.work.path() / "saved";
  fs::copy_file(bench.place.secret_file, saved);
  const auto rotated = bench.rotate();
  CHECK(rotated.public_text() != old->public_text());
  CHECK(bench.open()->public_text() == rotated.public_text());
  const auto keys = listed_keys(bench.place.public_file);
  REQUIRE(keys->size() == 2);
  CHECK(verify::signer_of(*verify::parse_checkpoint(checkpoint), *keys));
  CHECK(verify::signer_of(*verify::parse_checkpoint(rotated.sign(4, Hash{})), *keys));
  const auto signed_by = [&keys](const CheckpointSigner& key, std::uint64_t size) {
    return verify::signer_of(*verify::parse_checkpoint(key.sign(size, Hash{})), *keys);
  };
  CHECK(signed_by(*old, kReplacedAt));
  const auto beyond = signed_by(*old, kReplacedAt + 1);
  REQUIRE(!beyond);
  CHECK_THAT(beyond.error().text, Catch::Contains("was replaced at entry 7"));
  CHECK(signed_by(rotated, kReplacedAt + 1));

  fs::copy_file(saved, bench.place.secret_file, fs::copy_options::overwrite_existing);
  CHECK(bench.open().error().kind == ErrorKind::corrupt);
  bench.list("# as a person left it\r\n" + old->public_text() + "\r\n" + rotated.public_text() + "\r\n");
  CHECK(bench.open().error().kind == ErrorKind::corrupt);
}

TEST_CASE("a key that is not listed never signs, though it is of the ledger's origin") {
  Bench bench;
  const auto old = bench.open();
  REQUIRE(old);
  const std::string before = bench.list();
  std::ofstream(bench.place.secret_file, std::ios::trunc)
      << CheckpointSigner::make(kOrigin, bench.random)->secret_text() << '\n';
  const auto forged = bench.open();
  REQUIRE(!forged);
  CHECK(forged.error().kind == ErrorKind::corrupt);
  CHECK(forged.error().text.find("is not listed") != std::string::npos);
  CHECK(bench.list() == before);
  const auto next = bench.rotate();
  CHECK(bench.open()->public_text() == next.public_text());
}

TEST_CASE("a list whose last line does not end is read as it stands, and is gone on with on a new line") {
  Bench bench;
  const auto old = bench.open();
  REQUIRE(old);
  bench.list(old->public_text());
  CHECK(bench.open()->public_text() == old->public_text());
  CHECK(bench.list() == old->public_text());
  const auto next = bench.rotate();
  const auto old_key = verify::parse_key(old->public_text()).value();
  CHECK(bench.list() == old->public_text() + "\n" + verify::last_size_text(old_key, kReplacedAt) + "\n" +
                            next.public_text() + "\n");
  CHECK(bench.open()->public_text() == next.public_text());
}

TEST_CASE("what was signed over a loss is found by its name, drafts apart") {
  Bench bench;
  for (const char* name :
       {"checkpoint", "checkpoint.lost.500", "checkpoint.lost.500-2", "checkpoint.lost.9.new"})
    std::ofstream(bench.work.path() / name) << "a note";
  const auto lost = lost_checkpoints(bench.work.path());
  REQUIRE(lost.size() == 2);
  CHECK(lost.front().filename() == "checkpoint.lost.500");
}

TEST_CASE("a signing key that is missing, damaged, readable by others or of another origin is refused") {
  Bench bench;
  REQUIRE(bench.open());
  CHECK(bench.open("carehub/elsewhere").error().kind == ErrorKind::invalid);
  fs::permissions(bench.place.secret_file, fs::perms::group_read, fs::perm_options::add);
  CHECK(bench.open().error().kind == ErrorKind::invalid);
  fs::permissions(bench.place.secret_file, fs::perms::group_read, fs::perm_options::remove);
  REQUIRE(bench.open());
  std::ofstream(bench.place.secret_file, std::ios::trunc) << "PRIVATE+KEY+";
  CHECK(bench.open().error().kind == ErrorKind::corrupt);
  fs::remove(bench.place.secret_file);
  const auto missing = bench.open();
  REQUIRE(!missing);
  CHECK(missing.error().kind == ErrorKind::corrupt);
  CHECK(missing.error().text.find("rotate-key") != std::string::npos);
  bench.rotate("carehub/elsewhere");
  CHECK(bench.open("carehub/elsewhere"));
}

TEST_CASE("a key whose making was cut short before it was listed is listed at the next start") {
  Bench bench;
  REQUIRE(bench.open());
  fs::remove(bench.place.public_file);
  REQUIRE(bench.open());
  CHECK(listed_keys(bench.place.public_file)->size() == 1);
}

TEST_CASE("of a signing key that was made and read nothing is left in memory once it is gone") {
  Bench bench;
  for (int made_then_read = 0; made_then_read < 2; ++made_then_read) {
    REQUIRE(bench.open());
    auto text = fakes::read_backwards(bench.place.secret_file);
    text = text.substr(1, 44);  // base64 of a byte and 32: the key itself, behind its line's end
    REQUIRE(text.size() == 44);
    CHECK(fakes::times_in_memory(text) == 0);
  }
}
