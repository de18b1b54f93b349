#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/storage/backup_draft.hpp"
#include "broker/storage/master_key.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

/// Copies a vault that is in use into a new file, reads the copy again record by record, and calls `publish`
/// at a moment at which no key has been destroyed since the copying began: another such moment is waited for.
using CopyVault = std::function<Result<void>(const std::filesystem::path& file, const Copied& copied,
                                             const std::function<Result<void>()>& publish)>;

/// Reads a vault that is in use again from its file, header and every record. `corrupt` names file and
/// record; `unavailable`: it cannot be read, or `stopped` said so.
using VerifyVault = std::function<Result<void>(const std::function<bool()>& stopped)>;

struct OpenedVault {
  std::unique_ptr<Vault> vault;
  bool made = false;                 // there was none: a caller whose ledger is not empty must stop here
  std::vector<std::string> notices;  // what was mended at start; for the operator's log
  CopyVault copy;                    // for as long as `vault` lives; thread-safe
  VerifyVault verify;                // likewise
};

/// Opens the vault's file, or makes it where there is none; the master key is made only where neither exists
/// and it comes from a file. A change of either that was cut short is finished, or undone where it had not
/// begun. `random` must be thread-safe and outlive the vault. `copies`: directories with copies of the vault,
/// besides its own. Errors: `invalid` (the master key does not open this vault, or its file is malformed or
/// too open), `not_found` (a vault without its master key), `unavailable` (disk, the master key's command, or
/// in use by another hub), `corrupt` names file and record.
///
/// The file is as vault_format.hpp says. Where its end is missing the last block may be unfinished and is cut
/// off at the first record that does not open; else such a record is damage.
Result<OpenedVault> open_vault(const std::filesystem::path& vault_file, const MasterKeySource& master,
                               Random& random, const std::vector<std::filesystem::path>& copies = {});

/// Writes the vault of a stopped hub anew under another master key, and destroys the old wrapping. A key from
/// a file is drawn and put into that file; any other is read from `new_key_file`, and who keeps the old one
/// puts that in its place before the next start. Cut short at any place, the old or the new key opens the
/// vault, and the next call or start finishes it. Errors as of open_vault(); `conflict`: the new key is the
/// old one.
Result<void> rotate_master_key(const std::filesystem::path& vault_file, const MasterKeySource& master,
                               const std::filesystem::path& new_key_file, Random& random);

}  // namespace carehub::storage
