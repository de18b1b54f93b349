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
