#pragma once

#include <filesystem>
#include <functional>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::server {

struct RebuildOptions {
  std::filesystem::path data;
  std::filesystem::path master_key_file;  // empty: master.key in the data directory
  std::function<void(Sequence done, Sequence all)> progress;
};

/// Deletes the state of a hub that does not run and folds it again from the ledger; how many entries that
/// were. Errors: `not_found` (no ledger there), `unavailable` (a hub runs on this data, disk), `corrupt`.
Result<Sequence> rebuild_state(const RebuildOptions& options);

}  // namespace carehub::server
