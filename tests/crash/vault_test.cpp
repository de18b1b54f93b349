// Keys are destroyed, and the disk fails or the power goes at each operation of it.
#include <catch2/catch.hpp>

#include "broker/storage/file_vault.hpp"
#include "tests/crash/disk.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
using crash::Disk;
using crash::Fault;

namespace {

struct Minted {
  KeyId kept, gone;
  std::array<std::uint8_t, 32> key{};
};

Minted mint_two(Vault& vault) {
  Minted minted{vault.mint().value(), vault.mint().value(), {}};
  minted.key = vault.key(minted.kept)->bytes();
  return minted;
}

/// The vault opens, has what is to stay, and destroys what is to go.
void check_whole(const std::filesystem::path& place, const Minted& minted, Random& random, bool destroyed) {
  auto opened = open_vault(place / "vault", place / "master.key", random);
  INFO((opened ? std::string() : opened.error().text));
  REQUIRE(opened);
  auto& vault = *opened->vault;
  CHECK(vault.key(minted.kept)->bytes() == minted.key);
  const auto key = vault.key(minted.gone);
  if (destroyed) CHECK(!key);
  if (!key) CHECK(key.error().kind == ErrorKind::not_found);
  REQUIRE(vault.destroy({minted.gone}));
  CHECK(vault.key(minted.gone).error().kind == ErrorKind::not_found);
  CHECK(vault.key(minted.kept)->bytes() == minted.key);
  CHECK(vault.mint());
  CHECK(!std::filesystem::exists(place / "vault.new"));
}

/// Destroys with this fault at the n-th operation; whether it came about. `finished`: whether the vault says
/// that the key is gone.
bool destroy_with(Fault fault, bool& finished, const std::filesystem::path& root, Minted& minted,
                  Random& random, Disk& disk) {
  auto opened = open_vault(root / "vault", root / "master.key", random);
  REQUIRE(opened);
  minted = mint_two(*opened->vault);
  disk.plan(fault);
  finished = opened->vault->destroy({minted.gone}).has_value();
  const bool happened = disk.happened();
  if (fault.kind == Fault::Kind::error) {
    // The hub lives on: what it mints now must last, and the next attempt succeeds.
    const auto fresh = opened->vault->mint();
    REQUIRE(opened->vault->destroy({minted.gone}));
    if (fresh) CHECK(opened->vault->key(*fresh));
    CHECK(opened->vault->key(minted.gone).error().kind == ErrorKind::not_found);
    finished = true;
  }
  return happened;
}

}  // namespace

TEST_CASE("a vault that destroys a key while the power goes has it or has it not, and every other key") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < 100);
    const fakes::TemporaryDirectory root;
    Disk disk(root.path());
    Minted minted;
    bool finished = false;
    happened = destroy_with({Fault::Kind::power_cut, at}, finished, root.path(), minted, random, disk);
    disk.cut();
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      INFO("operation " << at << ", seed " << seed);
      fakes::SeededRandom dice(seed);
      const fakes::TemporaryDirectory after;
      disk.survivors(dice, after.path());
      check_whole(after.path(), minted, random, finished);
    }
  }
}

TEST_CASE("a vault that meets an error while it destroys a key goes on, and destroys it when asked again") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < 100);
    for (const int error : {EIO, ENOSPC}) {
      INFO("operation " << at << ", error " << error);
      const fakes::TemporaryDirectory root;
      Disk disk(root.path());
      Minted minted;
      bool finished = false;
      happened = destroy_with({Fault::Kind::error, at, error}, finished, root.path(), minted, random, disk);
      disk.plan({});
      check_whole(root.path(), minted, random, true);
    }
  }
}

TEST_CASE("a vault whose master key is changed while the power goes opens afterwards, with every key") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < 100);
    const fakes::TemporaryDirectory root;
    Disk disk(root.path());
    Minted minted;
    {
      auto opened = open_vault(root.path() / "vault", root.path() / "master.key", random);
      REQUIRE(opened);
      minted = mint_two(*opened->vault);
    }
    disk.plan({Fault::Kind::power_cut, at});
    static_cast<void>(rotate_master_key(root.path() / "vault", MasterKeySource(), {}, random));
    happened = disk.happened();
    disk.cut();
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      INFO("operation " << at << ", seed " << seed);
      fakes::SeededRandom dice(seed);
      const fakes::TemporaryDirectory after;
      disk.survivors(dice, after.path());
      for (const auto& file : std::filesystem::directory_iterator(after.path()))
        std::filesystem::permissions(file, std::filesystem::perms(0600));
      check_whole(after.path(), minted, random, false);
    }
  }
}
