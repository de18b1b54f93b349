#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/master_key.hpp"

namespace carehub::server {

/// A key of a stopped hub that is to be replaced, on record.
struct Rotation {
  std::filesystem::path data;
  storage::MasterKeySource master_key;
  std::string by;
  std::string reason;
  std::function<void(Sequence done, Sequence all)> progress;
};

/// The OperatorAction that records a new master key.
constexpr const char* kRotateAction = "rotate master key";

struct RotateOptions : Rotation {
  std::filesystem::path new_key_file;  // where the master key does not come from a file
};

/// Gives the vault of a stopped hub a new master key, and records that first; the entry. Cut short behind it,
/// the old or the new key opens the vault, and who asks again gets another. Errors: `not_found` (no ledger),
/// `unavailable` (a hub runs, disk), `conflict` (the state is to be made again first), `corrupt` (an accepted
/// loss is not recorded yet), and those of storage::rotate_master_key().
Result<Sequence> rotate_master_key(const RotateOptions& options);

/// The OperatorAction that records a new signing key; its detail is the new public key.
constexpr const char* kRotateSigningAction = "rotate signing key";

struct RotateSigningOptions : Rotation {
  std::filesystem::path signing_key_file;  // empty: in the data directory
  std::string origin;                      // empty: the newest key's, or made of the hub's name
  std::string hub_name;
};

/// Gives a stopped hub a new key for its checkpoints, and records that first; the entry. Old public keys stay
/// listed. Cut short behind the record, who asks again gets another key. Errors: `not_found` (no ledger),
/// `unavailable` (a hub runs, disk), `invalid` (no origin that a log may have), `conflict` (the state is to
/// be made again first), `corrupt` (an accepted loss is not recorded yet), and those of
/// storage::rotate_signing_key().
Result<Sequence> rotate_signing_key(const RotateSigningOptions& options);

}  // namespace carehub::server
