// What vault.hpp promises, asked of both sides alike.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "broker/base/limits.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/memory_vault.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

struct InMemory {
  fakes::SeededRandom random{17};
  MemoryVault vault{random};
  Vault& open() { return vault; }
};

struct OnDisk {
  fakes::TemporaryDirectory directory;
  SystemRandom random;
  std::unique_ptr<Vault> vault;
  /// As after a restart.
  Vault& open() {
    vault.reset();
    auto opened = open_vault(directory.path() / "vault", MasterKeySource(), random);
    if (!opened) FAIL(opened.error().text);
    vault = std::move(opened->vault);
    return *vault;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a key is minted once and stays what it is", "[vault]", InMemory, OnDisk) {
  TestType side;
  std::set<KeyId> seen;
  std::vector<std::pair<KeyId, SecretKey>> minted;
  for (int round = 0; round < 3; ++round) {
    auto& vault = side.open();
    for (std::size_t at = 0; at < limits::kVaultBlockKeys / 2 + 3; ++at) {
      const KeyId id = vault.mint().value();
      CHECK(seen.insert(id).second);
      minted.emplace_back(id, vault.key(id).value());
    }
  }
  const auto& vault = side.open();
  for (const auto& [id, key] : minted) CHECK(vault.key(id)->bytes() == key.bytes());
}

TEMPLATE_TEST_CASE("a key that was destroyed is gone for ever, and all others stay", "[vault]", InMemory,
                   OnDisk) {
  TestType side;
  std::vector<std::pair<KeyId, SecretKey>> minted;
  auto& vault = side.open();
  const auto index = vault.index_key().bytes();
  for (int at = 0; at < 300; ++at) {
    const KeyId id = vault.mint().value();
    minted.emplace_back(id, vault.key(id).value());
  }
  const std::vector<KeyId> gone = {minted[0].first, minted[7].first, minted[299].first};
  REQUIRE(vault.destroy(gone));
  const auto look = [&](const Vault& at) {
    for (const auto& id : gone) CHECK(at.key(id).error().kind == ErrorKind::not_found);
    for (const auto& [id, key] : minted) {
      if (std::find(gone.begin(), gone.end(), id) == gone.end()) CHECK(at.key(id)->bytes() == key.bytes());
    }
    CHECK(at.index_key().bytes() == index);
    CHECK(at.copies_with(gone).empty());
  };
  look(vault);
  look(side.open());
  auto& again = side.open();
  REQUIRE(again.destroy(gone));
  REQUIRE(again.destroy({minted[1].first}));
  CHECK(again.key(minted[1].first).error().kind == ErrorKind::not_found);
  minted.erase(minted.begin() + 1);
  look(side.open());
  std::set<KeyId> used;
  for (const auto& [id, key] : minted) used.insert(id);
  for (int at = 0; at < 300; ++at) CHECK(used.insert(side.open().mint().value()).second);
}

TEMPLATE_TEST_CASE("a key that was never minted is another thing than one that was destroyed", "[vault]",
                   InMemory, OnDisk) {
  TestType side;
  auto& vault = side.open();
  const KeyId kept = vault.mint().value();
  CHECK(vault.key(KeyId{}).error().kind == ErrorKind::corrupt);
  REQUIRE(vault.destroy({KeyId{}}));
  REQUIRE(vault.destroy({}));
  CHECK(vault.key(KeyId{}).error().kind == ErrorKind::corrupt);
  CHECK(vault.key(kept));
}
