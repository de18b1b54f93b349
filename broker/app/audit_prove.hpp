#pragma once

#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// A C2SP tlog-proof that an entry is under a signed checkpoint: of a running hub, or of a stopped hub's
/// ledger or a backup.
struct ProveOptions {
  std::string sequence;
  std::filesystem::path config;  // of a running hub, or:
  std::filesystem::path ledger;  // a data directory, a backup of one, or the database in it
  std::filesystem::path keys;    // of a running hub: verifier keys; empty: those in its data, where they are
  std::string by;                // of a running hub, as is the reason: for the record
  std::string reason;
};
/// Nothing is printed that does not hold.
ExitCode audit_prove(const ProveOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
