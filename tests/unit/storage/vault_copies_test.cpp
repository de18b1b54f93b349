#include "broker/storage/vault_copies.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/storage/file_vault.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
namespace fs = std::filesystem;

namespace {

struct Place {
  fakes::TemporaryDirectory directory;
  SystemRandom random;
  fs::path data = made("data");
  fs::path backups = made("backups");
  fs::path vault = data / "vault";

  fs::path made(const char* name) {
    fs::create_directory(directory.path() / name);
    return directory.path() / name;
  }
  std::unique_ptr<Vault> opened() {
    auto opened = open_vault(vault, MasterKeySource(), random, {backups});
    if (!opened) FAIL(opened.error().text);
    return std::move(opened->vault);
  }
};

}  // namespace

TEST_CASE("a copy of the vault that still has a destroyed key is named, one that was made later is not") {
  Place place;
  const auto vault = place.opened();
  const KeyId gone = vault->mint().value();
  const KeyId later = vault->mint().value();
  fs::create_directories(place.backups / "monday");
  fs::copy_file(place.vault, place.backups / "monday" / "vault");
  fs::copy_file(place.vault, place.data / "vault.saved");
  std::ofstream(place.backups / "notes.txt") << "no vault at all";
  REQUIRE(vault->destroy({gone}));
  fs::copy_file(place.vault, place.backups / "tuesday");
  const auto monday = (place.backups / "monday" / "vault").string();
  CHECK(vault->copies_with({gone}) ==
        std::vector<std::string>{monday, (place.data / "vault.saved").string()});
  REQUIRE(vault->destroy({later}));
  CHECK(vault->copies_with({later}).size() == 3);
  CHECK(vault->copies_with({gone}).size() == 2);
  fs::remove(place.backups / "monday" / "vault");
  fs::remove(place.data / "vault.saved");
  CHECK(vault->copies_with({gone}).empty());
}

TEST_CASE(
    "a copy under another master key counts as one that has the key, and so does a place that is gone") {
  Place place;
  KeyId gone;
  {
    const auto vault = place.opened();
    gone = vault->mint().value();
    fs::copy_file(place.vault, place.backups / "old");
  }
  REQUIRE(rotate_master_key(place.vault, MasterKeySource(), {}, place.random));
  const auto vault = place.opened();
  REQUIRE(vault->destroy({gone}));
  CHECK(vault->copies_with({gone}) == std::vector<std::string>{(place.backups / "old").string()});
  fs::remove_all(place.backups);
  const auto named = vault->copies_with({gone});
  REQUIRE(named.size() == 1);
  CHECK(named.front().find("cannot be looked into") != std::string::npos);
}

TEST_CASE("what is not looked into is named, and a link to a copy of the vault is followed") {
  Place place;
  const auto vault = place.opened();
  const KeyId gone = vault->mint().value();
  const auto elsewhere = place.made("elsewhere");
  fs::copy_file(place.vault, elsewhere / "vault");
  const auto deep = place.backups / "1" / "2" / "3" / "4";
  fs::create_directories(deep);
  REQUIRE(vault->destroy({gone}));
  CHECK(vault->copies_with({gone}).empty());
  const auto named = [&](const std::string& what) {
    const auto copies = vault->copies_with({gone});
    return copies.size() == 1 && copies.front().find(what) != std::string::npos;
  };
  SECTION("deeper than it looks") {
    fs::create_directories(deep / "5");
    CHECK(named("so many directories deep"));
  }
  SECTION("an archive") {
    std::ofstream(place.backups / "vault.gz") << "\x1f\x8b and more";
    CHECK(named("vault.gz: an archive"));
  }
  SECTION("a tar") {
    std::ofstream(place.backups / "vault.tar") << std::string(257, 'x') << "ustar";
    CHECK(named("vault.tar: an archive"));
  }
  SECTION("a link to a copy") {
    fs::create_symlink(elsewhere / "vault", place.backups / "newest");
    CHECK(named((place.backups / "newest").string()));
  }
  SECTION("a link to a directory elsewhere") {
    fs::create_directory_symlink(elsewhere, place.backups / "other");
    CHECK(named("a link to a directory"));
  }
  SECTION("links that lead nowhere, or to what is looked at anyhow") {
    fs::create_directory_symlink(place.backups / "1", place.backups / "newest");
    fs::create_symlink(place.backups / "gone", place.backups / "lost");
    fs::create_symlink(place.vault, place.backups / "own");
    CHECK(vault->copies_with({gone}).empty());
  }
}
