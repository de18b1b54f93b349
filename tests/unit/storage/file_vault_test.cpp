#include "broker/storage/file_vault.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <thread>

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
  static std::string text(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void put(const fs::path& file, const std::string& text) {
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }
  std::string bytes() const { return text(vault); }
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
  CHECK(vault->key(KeyId{}).error().kind == ErrorKind::corrupt);
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

TEST_CASE("keys are read and minted while a copy of the vault waits for its disk, and none is destroyed") {
  Place place;
  const auto opened = place.open();
  REQUIRE(opened);
  auto& vault = *opened->vault;
  const KeyId kept = vault.mint().value();
  const KeyId gone = vault.mint().value();
  const auto copied = opened->copy(place.directory.path() / "copy", {}, [&]() -> Result<void> {
    // Who destroys keys does not wait: he is told to come again.
    Result<void> erased;
    std::thread([&] { erased = vault.destroy({gone}); }).join();
    REQUIRE(!erased);
    CHECK(erased.error().kind == ErrorKind::unavailable);
    for (std::size_t at = 0; at < 2 * limits::kVaultBlockKeys; ++at) CHECK(vault.key(vault.mint().value()));
    CHECK(vault.key(kept));
    CHECK(vault.key(gone));
    return {};
  });
  CHECK(copied);
  CHECK(vault.destroy({gone}));
  CHECK(!vault.key(gone));
  CHECK(vault.key(kept));
}

TEST_CASE("a destroyed key's bytes are in no file any more, and the vault has another wrapping key") {
  Place place;
  const auto vault = place.opened();
  const KeyId gone = vault->mint().value();
  const KeyId kept = vault->mint().value();
  const auto before = place.bytes();
  const auto copy = place.directory.path() / "copy";
  fs::create_hard_link(place.vault, copy);
  REQUIRE(vault->destroy({gone}));
  CHECK(vault->key(kept));
  const auto after = place.bytes();
  CHECK(after.size() == before.size());
  CHECK(after.substr(16, 72) != before.substr(16, 72));
  // Whoever still has the old file has no key that opens it.
  std::ifstream stream(copy, std::ios::binary);
  const std::string old((std::istreambuf_iterator<char>(stream)), {});
  CHECK(old.substr(0, kHeaderBytes) == std::string(kHeaderBytes, '\0'));
  CHECK(!fs::exists(place.vault.string() + ".new"));
}

TEST_CASE("a draft that a rewriting has left is removed, whatever it holds") {
  Place place;
  const KeyId id = place.opened()->mint().value();
  std::ofstream(place.vault.string() + ".new") << "half a vault";
  const auto opened = place.open();
  REQUIRE(opened);
  CHECK(opened->notices.size() == 1);
  CHECK(opened->vault->key(id));
  CHECK(!fs::exists(place.vault.string() + ".new"));
}

TEST_CASE("a vault that cannot be written anew keeps its keys and says why") {
  Place place;
  const auto vault = place.opened();
  const KeyId id = vault->mint().value();
  fs::create_directory(place.vault.string() + ".new");
  std::ofstream(place.vault.string() + ".new/in-the-way") << "x";
  const auto destroyed = vault->destroy({id});
  REQUIRE(!destroyed);
  CHECK(destroyed.error().text.find("vault.new") != std::string::npos);
  CHECK(vault->key(id));
  CHECK(vault->mint());
  fs::remove_all(place.vault.string() + ".new");
  REQUIRE(vault->destroy({id}));
  CHECK(vault->key(id).error().kind == ErrorKind::not_found);
}

TEST_CASE("another master key opens the vault after a rotation, the old one does not, and no key is lost") {
  Place place;
  KeyId id;
  KeyId gone;
  std::array<std::uint8_t, 32> key{};
  {
    const auto vault = place.opened();
    id = vault->mint().value();
    key = vault->key(id)->bytes();
    gone = vault->mint().value();
    REQUIRE(vault->destroy({gone}));
  }
  const auto old_key = place.text(place.master);
  const auto old_header = place.bytes().substr(0, kHeaderBytes);
  SECTION("from a file") {
    REQUIRE(rotate_master_key(place.vault, place.master, {}, place.random));
    CHECK(place.text(place.master) != old_key);
    const auto vault = place.opened();
    CHECK(vault->key(id)->bytes() == key);
    CHECK(vault->key(gone).error().kind == ErrorKind::not_found);
  }
  SECTION("cut short once the vault has the new one") {
    REQUIRE(rotate_master_key(place.vault, place.master, {}, place.random));
    fs::rename(place.master, place.master.string() + ".next");
    place.put(place.master, old_key);
    const auto opened = place.open();
    REQUIRE(opened);
    CHECK(opened->notices.size() == 1);
    CHECK(opened->vault->key(id)->bytes() == key);
    CHECK(!fs::exists(place.master.string() + ".next"));
  }
  SECTION("cut short before it") {
    place.put(place.master.string() + ".next", std::string(64, '7'));
    const auto opened = place.open();
    REQUIRE(opened);
    CHECK(opened->notices.size() == 1);
    CHECK(opened->vault->key(id)->bytes() == key);
    CHECK(!fs::exists(place.master.string() + ".next"));
    return;
  }
  CHECK(place.bytes().substr(0, kHeaderBytes) != old_header);
  place.put(place.master, old_key);
  CHECK(place.open().error().kind == ErrorKind::invalid);
}

TEST_CASE("a vault whose master key comes from elsewhere is given the new one in a file") {
  Place place;
  const auto fresh = place.directory.path() / "fresh.key";
  place.put(place.master, std::string(64, 'a'));
  place.put(fresh, std::string(64, 'b') + "\n");
  const auto by = [](const fs::path& file) { return MasterKeySource::from_command({"/bin/cat", file}); };
  KeyId id;
  {
    auto opened = open_vault(place.vault, by(place.master), place.random);
    REQUIRE(opened);
    id = opened->vault->mint().value();
  }
  REQUIRE(rotate_master_key(place.vault, by(place.master), fresh, place.random));
  CHECK(open_vault(place.vault, by(place.master), place.random).error().kind == ErrorKind::invalid);
  CHECK(open_vault(place.vault, by(fresh), place.random)->vault->key(id));
  CHECK(rotate_master_key(place.vault, by(fresh), fresh, place.random).error().kind == ErrorKind::conflict);
}
