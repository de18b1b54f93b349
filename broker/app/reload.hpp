#pragma once

#include <filesystem>
#include <vector>

#include "adapters/channel/channel_set.hpp"
#include "broker/server/hub.hpp"

namespace carehub::app {

/// What of a running process a configuration that is read again may change.
struct Reloaded {
  server::Hub* hub = nullptr;                // nullptr: an adapter alone
  std::vector<server::AllowedKey> allowed;   // the keys that may connect to it
  adapters::ChannelSet* channels = nullptr;  // nullptr: a broker alone
};

/// Reads the configuration again and takes from it what may change while the program runs: the keys that may
/// connect, and the tokens of HTTP channels. A configuration with any fault changes nothing and raises an
/// alarm.
void reload(const std::filesystem::path& config, Reloaded& running);

}  // namespace carehub::app
