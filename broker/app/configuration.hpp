#pragma once

#include <filesystem>
#include <iosfwd>
#include <vector>

#include "adapters/channel/channel_config.hpp"
#include "adapters/console/console.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/server/config.hpp"

namespace carehub::app {

/// hub.toml whole: the broker's side and the channels', the policy and the packs. Good only without faults.
struct Configuration {
  server::HubConfig hub;
  std::vector<adapters::ChannelConfig> channels;
  std::optional<adapters::TileListenerOptions> tiles;
  std::optional<adapters::ConsoleOptions> console;
  std::filesystem::path accounts_file;  // of those who sign in to a console
  std::vector<ConfigFault> faults;      // in the order of files and lines, each once
};

/// The roles of all agencies, each once.
std::vector<std::string> roles_of(const server::HubConfig& hub);

/// Opens no port, makes no file.
Configuration read_configuration(const std::filesystem::path& file);

/// One line a fault, and how many there are.
void print_faults(const std::vector<ConfigFault>& faults, std::ostream& out);

}  // namespace carehub::app
