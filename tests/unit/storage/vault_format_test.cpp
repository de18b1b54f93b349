#include "broker/storage/vault_format.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a vault's header opens under its master key alone, and one flipped bit is found") {
  fakes::SeededRandom random(5);
  const auto master = draw_key(random);
  const VaultKeys keys{draw_key(random), draw_key(random)};
  auto header = vault_header(master, keys, random);
  REQUIRE(header.size() == kVaultHeaderBytes);
  const auto opened = open_vault_header(header, master, "v");
  REQUIRE(opened);
  CHECK(opened->vault.bytes() == keys.vault.bytes());
  CHECK(opened->index.bytes() == keys.index.bytes());
  CHECK(open_vault_header(header, draw_key(random), "v").error().kind == ErrorKind::invalid);
  for (std::size_t at = 0; at < header.size(); ++at) {
    header[at] ^= 1;
    CHECK(!open_vault_header(header, master, "v"));
    header[at] ^= 1;
  }
  CHECK(!is_vault(BytesView(header).first(20)));
}

TEST_CASE("a record opens at its own place, and a destroyed one has no key") {
  fakes::SeededRandom random(6);
  const auto vault_key = draw_key(random);
  const auto key = draw_key(random);
  KeyId id;
  random.fill(id.bytes);
  const auto record = vault_record(vault_key, id, &key, 7, random);
  REQUIRE(record.size() == kVaultRecordBytes);
  CHECK(vault_record_id(record) == id);
  CHECK(open_vault_record(vault_key, record, 7)->key->bytes() == key.bytes());
  CHECK(!open_vault_record(vault_key, record, 8));
  const auto gone = open_vault_record(vault_key, vault_record(vault_key, id, nullptr, 7, random), 7);
  REQUIRE(gone);
  CHECK(!gone->key);
}
