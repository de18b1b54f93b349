#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/master_key.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::server {

/// The OperatorAction that records a restore.
constexpr const char* kRestoreAction = "restore";

/// What a restored ledger extends: the signed checkpoint of the log that it comes from, and that one's keys.
constexpr const char* kRestoredCheckpointFile = "restored.checkpoint";
constexpr const char* kRestoredKeysFile = "restored.keys";

/// How far behind the backup's end numbers may have been given out: each is filled with an entry, and one
/// that was mistyped must not fill the disk.
constexpr Sequence kGivenOutAheadMax = 100'000'000;

struct RestoreOptions {
  std::filesystem::path ledger;  // a backup of a ledger, or a stopped hub's data directory
  std::filesystem::path vault;   // a copy of the vault, or the directory that holds it
  std::filesystem::path into;    // the new data directory
  Sequence to = 0;               // the last entry that is restored; 0: all
  Sequence given_out = 0;        // numbers up to this one may have been given out; 0: those of the backup
  std::string origin;            // of the restored hub's own log
  storage::MasterKeySource master_key;     // opens the copy of the vault
  bool place_master_key = false;           // it is to be master.key in the new data directory
  std::filesystem::path signing_key_file;  // a new file for the new signing key; empty: in `into`
  std::vector<storage::verify::Key> keys;  // that may have signed the backup; none: those beside it
  std::string by;
  std::string reason;
  std::function<void(const char* step, Sequence done, Sequence all)> progress;
};

struct Restored {
  Sequence backup_head = 0;    // the backup's last entry
  Sequence to = 0;             // the last one that is restored
  Sequence recorded_as = 0;    // the OperatorAction
  Sequence head = 0;           // of the restored ledger, which ends behind all numbers that were given out
  std::string from_origin;     // whose checkpoint the backup extends
  Sequence from_size = 0;      // and of how many entries that is
  std::uint64_t erasures = 0;  // that lie behind `to` and are honoured all the same
  std::uint64_t keys_destroyed = 0;  // which the copy of the vault still had
  std::vector<std::string> notices;
};

/// Makes a data directory out of a backup, for a hub that is no continuation of the old one's log: it signs
/// under an origin and with a key of its own. The backup is audited whole first, its tree compared with its
/// signed checkpoint, and so is the result, before it has its name. Keys that any Erasure in the backup
/// names, restored or left out, are destroyed in the restored vault. Numbers of entries that are left out are
/// filled, so that none is given to something else. Errors: `invalid`, `not_found`, `conflict` (it exists),
/// `corrupt` (the backup has a fault, or the vault lacks keys), `unavailable` (disk). Nothing is left behind,
/// then.
Result<Restored> restore_hub(const RestoreOptions& options);

}  // namespace carehub::server
