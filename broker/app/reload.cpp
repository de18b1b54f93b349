#include "broker/app/reload.hpp"

#include <algorithm>

#include "broker/app/configuration.hpp"
#include "broker/server/log.hpp"

namespace carehub::app {
namespace {

/// How many of `keys` are not among `others`, or belong to somebody else there.
std::size_t missing_from(const std::vector<server::AllowedKey>& others,
                         const std::vector<server::AllowedKey>& keys) {
  return static_cast<std::size_t>(std::ranges::count_if(keys, [&others](const server::AllowedKey& key) {
    return std::ranges::none_of(others, [&key](const server::AllowedKey& other) {
      return other.public_key == key.public_key && other.agency == key.agency && other.client == key.client;
    });
  }));
}

void say_failed(const std::string& why) {
  server::log_alarm("reload_failed", "the keys that may connect stay as they were: " + why);
}

}  // namespace

void reload(const std::filesystem::path& config, server::Hub& hub, std::vector<server::AllowedKey>& allowed) {
  const Configuration configuration = read_configuration(config);
  const auto& faults = configuration.faults;
  if (!faults.empty()) {
    const std::string others =
        faults.size() > 1 ? "; " + std::to_string(faults.size() - 1) + " more faults" : "";
    return say_failed(to_string(faults.front()) + others);
  }
  const auto& clients = configuration.hub.clients;
  if (auto taken = hub.allow(clients); !taken) return say_failed(taken.error().text);
  server::log_notice("keys-reloaded",
                     std::to_string(clients.size()) +
                         " keys may connect: " + std::to_string(missing_from(allowed, clients)) + " new, " +
                         std::to_string(missing_from(clients, allowed)) +
                         " taken off; what else has changed in the configuration waits for the next start");
  allowed = clients;
}

}  // namespace carehub::app
