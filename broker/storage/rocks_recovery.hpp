#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "broker/storage/entry.hpp"
#include "broker/storage/merkle.hpp"

namespace carehub::storage {

/// How much of a ledger's end is gone.
struct LedgerLoss {
  Sequence whole = 0;              // the last entry that is there
  std::optional<Sequence> marked;  // the last one that was durable; nothing where no readable mark says it
  MerkleFrontier tree;             // of all entries up to `whole`
  Hash last_leaf{};
  std::string signed_row;  // the checkpoint in the database, where it covers more than `whole`

  bool any() const { return !marked || *marked > whole; }
};

/// Reads every entry of a hub that does not run, and compares with the mark. Changes nothing. Errors:
/// `not_found` (no ledger there), `unavailable` (a hub runs on this data), `corrupt` where more is wrong than
/// a lost end: damage with entries behind it, another history than the mark's, a checkpoint that no listed
/// key signed; or as `visit` says.
Result<LedgerLoss> find_loss(const std::filesystem::path& data_directory,
                             const std::function<Result<void>(const SealedEntry&)>& visit);

/// Sets mark and checkpoint to what find_loss() found, durably: the ledger opens from now on, and ends there.
/// What was signed over lost entries is kept under kLostCheckpointFile.
Result<void> accept_loss(const std::filesystem::path& data_directory, const LedgerLoss& loss);

}  // namespace carehub::storage
