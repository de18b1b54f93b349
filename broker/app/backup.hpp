#pragma once

#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// What a running hub copies of itself, on its own machine.
struct BackupOptions {
  std::filesystem::path config;
  std::filesystem::path ledger;  // directories that do not exist yet; either may be empty
  std::filesystem::path vault;
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode backup(const BackupOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
