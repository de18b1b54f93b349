#pragma once

#include <filesystem>
#include <vector>

#include "broker/server/hub.hpp"

namespace carehub::app {

/// Reads the configuration again and takes from it what may change while the hub runs: the keys that may
/// connect. `allowed`: those of before; holds those of now afterwards. A configuration with any fault changes
/// nothing and raises an alarm.
void reload(const std::filesystem::path& config, server::Hub& hub, std::vector<server::AllowedKey>& allowed);

}  // namespace carehub::app
