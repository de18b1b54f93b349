#pragma once

#include <filesystem>
#include <functional>

#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"

namespace carehub::storage {

/// Where copies of a running hub's ledger and vault go: whole paths of directories that do not exist yet;
/// either may be empty.
struct BackupPlan {
  std::filesystem::path data;  // the hub's own
  std::filesystem::path ledger;
  std::filesystem::path vault;
};

/// Told how far a step is; false: stop.
using BackupTold = std::function<bool(const char* step, std::uint64_t done, std::uint64_t all)>;

/// Is it a plan that can be carried out? `invalid`: a path that is not whole, a directory inside the other or
/// inside the data directory.
Result<void> check_plan(const BackupPlan& plan);

/// Copies the ledger, audits the copy whole, and gives it its name; then the vault, whose copy therefore has
/// every key of the ledger's. The last entry in the copy. Neither key nor vault is ever in the ledger's.
/// What is not whole is removed again, and the error says what was made and what was not: `conflict` (it
/// exists), `not_found` (no parent), `unavailable` (disk, or stopped), `corrupt` (the copy has a fault).
Result<Sequence> make_backup(const RocksLedger& ledger, const CopyVault& vault, const BackupPlan& plan,
                             const BackupTold& told);

}  // namespace carehub::storage
