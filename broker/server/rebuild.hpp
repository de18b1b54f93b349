#pragma once

#include <filesystem>
#include <functional>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/master_key.hpp"

namespace carehub::server {

struct RebuildOptions {
  std::filesystem::path data;
  storage::MasterKeySource master_key;
  std::function<void(Sequence done, Sequence all)> progress;
};

/// Deletes the state of a hub that does not run and folds it again from the ledger; how many entries that
/// were. Errors: `not_found` (no ledger there), `unavailable` (a hub runs on this data, disk), `corrupt`.
Result<Sequence> rebuild_state(const RebuildOptions& options);

}  // namespace carehub::server
