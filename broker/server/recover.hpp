#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/master_key.hpp"

namespace carehub::server {

/// Present while an accepted loss has not been recorded yet; no hub starts then, and nothing is recorded.
constexpr const char* kLossFile = "ledger.loss";

/// OperatorActions: the record of a loss, and what stands under the number of each other entry that is lost.
constexpr const char* kAcceptLossAction = "accept_loss";
constexpr const char* kLostAction = "lost";

struct RecoverOptions {
  std::filesystem::path data;
  storage::MasterKeySource master_key;
  bool accept = false;  // without it ledger, mark and state are left as they are
  std::string by;       // with `accept`: who decides, for the record
  std::string reason;
  std::function<void(Sequence done, Sequence all)> progress;
};

struct Recovery {
  Sequence whole = 0;        // the last entry that is there
  Sequence lost_to = 0;      // the last one that somebody may hold a receipt of; 0: no mark says it
  bool lost = false;         // entries are gone, or nobody can tell
  bool unfinished = false;   // an earlier call left kLossFile, so no hub starts; with `accept` that is over
  Sequence recorded_as = 0;  // the OperatorAction of an accepted loss
  std::vector<std::string> notices;  // what was mended to be able to look
};

/// `corrupt` while kLossFile lies there: what is appended now would take a number that is lost.
Result<void> refuse_unrecorded_loss(const std::filesystem::path& data);

/// Looks how much of a stopped hub's ledger is lost at its end. With `accept` the hub starts again behind
/// what is lost, its state made again: the loss is an OperatorAction in the ledger, and the numbers of what
/// is lost are filled, so that none is given out twice (where no mark says how many they were, that cannot be
/// known). Cut short at any place, it is finished by the next call. To look opens the vault, which mends its
/// end where the power went while keys were being minted, and says so in the notices. Errors: `not_found` (no
/// ledger there), `unavailable` (a hub runs, disk), `corrupt`: more than a lost end is wrong, or the vault
/// lacks keys of entries that are there.
Result<Recovery> recover_ledger(const RecoverOptions& options);

}  // namespace carehub::server
