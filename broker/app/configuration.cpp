#include "broker/app/configuration.hpp"

#include <algorithm>
#include <ostream>
#include <set>
#include <tuple>

namespace carehub::app {
namespace {

auto place(const ConfigFault& fault) { return std::tie(fault.file, fault.line, fault.column, fault.text); }

/// Both sides read some keys, and several channels one pack: a fault is told once. hub.toml's own come first.
void put_in_order(std::vector<ConfigFault>& faults, const std::string& main_file) {
  const auto before = [&main_file](const ConfigFault& one, const ConfigFault& other) {
    const bool one_elsewhere = one.file != main_file;
    const bool other_elsewhere = other.file != main_file;
    if (one_elsewhere != other_elsewhere) return other_elsewhere;
    return place(one) < place(other);
  };
  std::stable_sort(faults.begin(), faults.end(), before);
  const auto same = [](const ConfigFault& one, const ConfigFault& other) {
    return place(one) == place(other);
  };
  faults.erase(std::unique(faults.begin(), faults.end(), same), faults.end());
}

/// A pack says that it makes notices to people; the hub has to know, so that no replay raises them by
/// mistake.
void mark_notices(Configuration& configuration) {
  for (auto& subscription : configuration.hub.rules.subscriptions) {
    const auto makes_it = [&](const adapters::ChannelConfig& channel) {
      return channel.name == subscription.name && channel.pack != nullptr && channel.pack->notice;
    };
    subscription.notice |=
        std::any_of(configuration.channels.begin(), configuration.channels.end(), makes_it);
  }
}

}  // namespace

std::vector<std::string> roles_of(const server::HubConfig& hub) {
  std::set<std::string> roles;
  for (const auto& agency : hub.rules.agencies) roles.insert(agency.roles.begin(), agency.roles.end());
  return {roles.begin(), roles.end()};
}

Configuration read_configuration(const std::filesystem::path& file) {
  Configuration configuration;
  auto document = ConfigDocument::load(file);
  if (document.faults().empty()) {
    configuration.hub = server::read_config(document);
    configuration.channels = adapters::read_channels(document);
    configuration.tiles = adapters::read_tiles(document, configuration.channels);
    configuration.console = adapters::read_console(document, roles_of(configuration.hub));
    configuration.accounts_file = adapters::accounts_file_of(document);
    mark_notices(configuration);
    document.report_unused();
  }
  configuration.faults = std::move(document.faults());
  put_in_order(configuration.faults, file.string());
  return configuration;
}

void print_faults(const std::vector<ConfigFault>& faults, std::ostream& out) {
  for (const auto& fault : faults) out << to_string(fault) << '\n';
  if (faults.size() > 1) out << faults.size() << " faults\n";
  out << std::flush;
}

}  // namespace carehub::app
