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
  std::vector<std::string> notices;  // what was mended at start; for the operator's log
};

/// Opens the vault's file, or makes both it and the master key when neither exists. The master key's file
/// holds 32 bytes as 64 hexadecimal characters and must not be readable by group or others. `random` must be
/// thread-safe and outlive the vault. Errors: `invalid` (the master key does not open this vault, or its file
/// is malformed or too open), `not_found` (a vault without its master key or a master key without its vault),
/// `unavailable` (disk, or in use by another hub), `corrupt` names file and record.
Result<OpenedVault> open_vault(const std::filesystem::path& vault_file,
                               const std::filesystem::path& master_key_file, Random& random);

}  // namespace carehub::storage
