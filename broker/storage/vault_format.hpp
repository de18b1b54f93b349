#pragma once

#include <optional>

#include "broker/storage/file.hpp"
#include "broker/storage/master_key.hpp"

/// A vault as bytes, little-endian: a header of 192 bytes (magic 8, version u32, record size u32, nonce 24
/// and the vault key wrapped under the master key 48, nonce 24 and the index key wrapped under the vault key
/// 48, SHA-256 of all before), then records of 88: key id 16, nonce 24, the key wrapped under the vault
/// key 48. Records are bound to their place. A key that was destroyed is a record that wraps 32 zeros. Behind
/// the last record, once all are synced: magic 8, their number u64.
namespace carehub::storage {

constexpr std::size_t kVaultNonceBytes = 24;
constexpr std::size_t kVaultKeyBytes = 32;
constexpr std::size_t kWrappedBytes = kVaultNonceBytes + kVaultKeyBytes + 16;
constexpr std::size_t kVaultRecordBytes = sizeof(KeyId) + kWrappedBytes;
constexpr std::size_t kVaultHeaderBytes = 16 + 2 * kWrappedBytes + sizeof(Hash);
constexpr std::size_t kVaultEndBytes = 16;

/// The keys that a vault's header holds.
struct VaultKeys {
  SecretKey vault;  // wraps the records
  SecretKey index;
};

Bytes vault_header(const SecretKey& master, const VaultKeys& keys, Random& random);

/// Errors: `corrupt` (no vault's header, or a damaged one), `invalid` (another version, or `master` does not
/// open it), with the file's name.
Result<VaultKeys> open_vault_header(BytesView header, const SecretKey& master, const std::string& file);
/// Whether these bytes begin as a vault does.
bool is_vault(BytesView header);

/// `key` nullptr: a destroyed one.
Bytes vault_record(const SecretKey& vault_key, const KeyId& id, const SecretKey* key, std::uint64_t record,
                   Random& random);

struct VaultRecord {
  KeyId id;
  std::optional<SecretKey> key;  // nothing: it was destroyed
};
KeyId vault_record_id(BytesView bytes);
/// nullopt: it does not open at this place under this key.
std::optional<VaultRecord> open_vault_record(const SecretKey& vault_key, BytesView bytes,
                                             std::uint64_t record);

constexpr std::uint64_t vault_record_at(std::uint64_t record) {
  return kVaultHeaderBytes + record * kVaultRecordBytes;
}

/// Stands behind the last record once all of them are synced.
Bytes vault_end(std::uint64_t records);

}  // namespace carehub::storage
