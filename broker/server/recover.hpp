#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::server {

/// Present while an accepted loss has not been recorded yet; no hub starts then.
constexpr const char* kLossFile = "ledger.loss";

struct RecoverOptions {
  std::filesystem::path data;
  std::filesystem::path master_key_file;  // empty: master.key in the data directory
  bool accept = false;                    // without it nothing is changed
  std::string by;                         // with `accept`: who decides, for the record
  std::string reason;
  std::function<void(Sequence done, Sequence all)> progress;
};

struct Recovery {
  Sequence whole = 0;        // the last entry that is there
  Sequence lost_to = 0;      // the last one that somebody may hold a receipt of; 0: no mark says it
  bool lost = false;         // entries are gone, or nobody can tell
  Sequence recorded_as = 0;  // the OperatorAction of an accepted loss
};

/// Looks how much of a stopped hub's ledger is lost at its end. With `accept` the hub starts again behind
/// what is whole, its state made again, and the loss is an OperatorAction in the ledger; cut short, it is
/// finished by the next call. Errors: `not_found` (no ledger there), `unavailable` (a hub runs, disk),
/// `corrupt`: more than a lost end is wrong, or the vault lacks keys of entries that are there.
Result<Recovery> recover_ledger(const RecoverOptions& options);

}  // namespace carehub::server
