#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

struct OpenedVault {
  std::unique_ptr<Vault> vault;
  bool made = false;                 // there was none: a caller whose ledger is not empty must stop here
  std::vector<std::string> notices;  // what was mended at start; for the operator's log
};

/// Opens the vault's file, or makes it where there is none; the master key is made only where neither exists.
/// The master key's file holds 32 bytes as 64 hexadecimal characters and must be closed to group and others.
/// `random` must be thread-safe and outlive the vault. Errors: `invalid` (the master key does not open this
/// vault, or its file is malformed or too open), `not_found` (a vault without its master key), `unavailable`
/// (disk, or in use by another hub), `corrupt` names file and record.
///
/// The file, little-endian: a header of 192 bytes (magic 8, version u32, record size u32, nonce 24 and the
/// vault key wrapped under the master key 48, nonce 24 and the index key wrapped under the vault key 48,
/// SHA-256 of all before), then records of 88: key id 16, nonce 24, the key wrapped under the vault key 48.
/// Records are bound to their place. Behind the last one, once all are synced: magic 8, their number u64.
/// Where that is missing the last block may be unfinished and is cut off at the first record that does not
/// open; else such a record is damage.
Result<OpenedVault> open_vault(const std::filesystem::path& vault_file,
                               const std::filesystem::path& master_key_file, Random& random);

}  // namespace carehub::storage
