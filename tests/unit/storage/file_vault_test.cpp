#include "broker/storage/file_vault.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "broker/base/limits.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kHeaderBytes = 192;
constexpr std::size_t kRecordBytes = 88;

struct Place {
  fakes::TemporaryDirectory directory;
  SystemRandom random;
  fs::path vault = directory.path() / "vault";
  fs::path master = directory.path() / "master.key";

  Result<OpenedVault> open() { return open_vault(vault, master, random); }
  std::unique_ptr<Vault> opened() {
    auto result = open();
    if (!result) FAIL(result.error().text);
    return std::move(result->vault);
  }
  void flip(std::size_t byte) const {
    std::fstream stream(vault, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(byte));
    const int was = stream.get();
    stream.seekp(static_cast<std::streamoff>(byte));
    stream.put(static_cast<char>(was ^ 1));
  }
};

}  // namespace

TEST_CASE("keys and the index key are the same after the vault is opened again") {
  Place place;
  std::vector<std::pair<KeyId, SecretKey>> minted;
  SecretKey index;
  {
    const auto vault = place.opened();
    index = vault->index_key();
    for (std::size_t at = 0; at < limits::kVaultBlockKeys + 5; ++at) {
      const KeyId id = vault->mint().value();
      minted.emplace_back(id, vault->key(id).value());
    }
  }
  const auto vault = place.opened();
  CHECK(vault->index_key().bytes() == index.bytes());
  for (const auto& [id, key] : minted) CHECK(vault->key(id)->bytes() == key.bytes());
  CHECK(vault->key(KeyId{}).error().kind == ErrorKind::not_found);
  for (const auto& file : {place.vault, place.master}) {
    CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  }
}

TEST_CASE("no key is handed out twice, across restarts either") {
  Place place;
  std::set<KeyId> seen;
  for (int round = 0; round < 4; ++round) {
    const auto vault = place.opened();
    for (int at = 0; at < 10; ++at) CHECK(seen.insert(vault->mint().value()).second);
  }
}

TEST_CASE("a vault says whether it was just made") {
  Place place;
  CHECK(place.open()->made);
  CHECK(!place.open()->made);
}

TEST_CASE("a block that was cut short is cut off and reported; the keys before it stay") {
  Place place;
  const KeyId id = place.opened()->mint().value();
  const auto whole = fs::file_size(place.vault);
  SECTION("in the middle of a record") {
    fs::resize_file(place.vault, whole + 30);
    std::fstream(place.vault, std::ios::in | std::ios::out | std::ios::binary)
            .seekp(static_cast<std::streamoff>(whole))
        << "half a record";
  }
  SECTION("with bytes that never reached the disk") {
    fs::resize_file(place.vault, whole + 3 * kRecordBytes + 7);
  }
  {
    const auto opened = place.open();
    REQUIRE(opened);
    CHECK(opened->notices.size() == 1);
    CHECK(fs::file_size(place.vault) == whole);
    CHECK(opened->vault->key(id));
    CHECK(opened->vault->mint());
  }
  CHECK(place.open()->notices.empty());
}

TEST_CASE("a block of which one page reached the disk is cut off behind that page, and the vault grows on") {
  constexpr std::uint64_t kPageBytes = 4096;
  Place place;
  const KeyId id = place.opened()->mint().value();
  const auto whole = fs::file_size(place.vault);
  REQUIRE(place.opened()->mint());
  const auto both = fs::file_size(place.vault);
  fs::resize_file(place.vault, (whole / kPageBytes + 1) * kPageBytes);
  fs::resize_file(place.vault, both);
  {
    const auto opened = place.open();
    INFO((opened ? std::string() : opened.error().text));
    REQUIRE(opened);
    CHECK(opened->notices.size() == 1);
    CHECK(fs::file_size(place.vault) >= whole);
    CHECK(fs::file_size(place.vault) < whole + kPageBytes);
    CHECK(opened->vault->key(id));
    CHECK(opened->vault->mint());
  }
  CHECK(place.open()->notices.empty());
}

TEST_CASE("a block of which only later pages reached the disk is cut off, whatever they hold") {
  constexpr std::uint64_t kPageBytes = 4096;
  Place place;
  const KeyId id = place.opened()->mint().value();
  const auto whole = fs::file_size(place.vault);
  REQUIRE(place.opened()->mint());
  // The power went in the second block's sync: its first page is not there, and what is written last is not.
  const auto page = static_cast<std::streamoff>((whole / kPageBytes + 1) * kPageBytes);
  {
    std::fstream stream(place.vault, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(page);
    stream << std::string(kPageBytes, '\0');
  }
  fs::resize_file(place.vault, fs::file_size(place.vault) - 16);
  {
    const auto opened = place.open();
    INFO((opened ? std::string() : opened.error().text));
    REQUIRE(opened);
    CHECK(opened->notices.size() == 1);
    CHECK(opened->vault->key(id));
    CHECK(opened->vault->mint());
  }
  CHECK(place.open()->notices.empty());
}

TEST_CASE("a flipped bit in any record or in the header is corrupt, and names the place") {
  Place place;
  REQUIRE(place.opened()->mint());
  for (const std::size_t record : {0U, 1U, 100U, 255U}) {
    const std::size_t byte = kHeaderBytes + record * kRecordBytes + 31 * (record % 3);
    place.flip(byte);
    const auto opened = place.open();
    REQUIRE(!opened);
    CHECK(opened.error().kind == ErrorKind::corrupt);
    CHECK(opened.error().text.find("record " + std::to_string(record + 1) + " ") != std::string::npos);
    place.flip(byte);
  }
  for (std::size_t byte = 0; byte < kHeaderBytes; byte += 5) {
    place.flip(byte);
    CHECK(place.open().error().kind == ErrorKind::corrupt);
    place.flip(byte);
  }
  CHECK(place.open());
}

TEST_CASE("a wrong, missing, malformed or open master key is refused with a remedy") {
  Place place;
  REQUIRE(place.opened()->mint());
  SECTION("wrong") {
    std::ofstream(place.master) << std::string(64, '7') << "\n";
    const auto opened = place.open();
    REQUIRE(!opened);
    CHECK(opened.error().kind == ErrorKind::invalid);
    CHECK(opened.error().text.find("the master key does not open this vault") != std::string::npos);
  }
  SECTION("missing") {
    fs::remove(place.master);
    CHECK(place.open().error().kind == ErrorKind::not_found);
    CHECK(!fs::exists(place.master));
  }
  SECTION("malformed") {
    for (const char* text :
         {"", "abc", "not hexadecimal at all, though it has the right length of sixty-four"}) {
      std::ofstream(place.master) << text;
      const auto opened = place.open();
      REQUIRE(!opened);
      CHECK(opened.error().kind == ErrorKind::invalid);
      CHECK(opened.error().text.find("64 hexadecimal") != std::string::npos);
    }
  }
  SECTION("open to others") {
    fs::permissions(place.master, fs::perms::group_read, fs::perm_options::add);
    CHECK(place.open().error().text.find("chmod 600") != std::string::npos);
  }
}

TEST_CASE("a vault in use is refused, and one that cannot grow says so") {
  Place place;
  const auto vault = place.opened();
  CHECK(place.open().error().kind == ErrorKind::unavailable);
  CHECK(open_vault("/proc/carehub/vault", place.master, place.random).error().text.find("/proc/carehub") !=
        std::string::npos);
}
