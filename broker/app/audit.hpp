#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// What is done with the ledger of a stopped hub, a backup of one, or a proof that is there.
struct AuditOptions {
  enum class Action : std::uint8_t { verify, rotate_key } action = Action::verify;
  /// verify: a proof file, "-" for standard input; rotate_key: hub.toml.
  std::string subject;
  std::filesystem::path ledger;  // a data directory, a backup of one, or the database in it
  std::filesystem::path keys;    // verifier keys, one a line; verify of a ledger: else those beside it
  std::string by;                // of rotate_key, as is the reason: for the record
  std::string reason;
  bool json = false;
};
/// verify leaves with `corrupt` where a ledger is damaged, with `wrong_input` where a proof does not hold.
ExitCode audit(const AuditOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
