#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// A new data directory out of a backup, for a hub that does not run yet.
struct RestoreOptions {
  std::filesystem::path config;  // of the hub that is to run on it: where its master key comes from
  std::filesystem::path ledger;
  std::filesystem::path vault;
  std::filesystem::path into;
  std::filesystem::path master_key;  // the file that opens the vault; empty: as the configuration says
  std::string origin;
  std::uint64_t to_sequence = 0;  // 0: all
  std::uint64_t given_out = 0;
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode restore(const RestoreOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
