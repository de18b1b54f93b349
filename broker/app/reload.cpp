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
  server::log_alarm("reload_failed", "keys and tokens that may connect stay as they were: " + why);
}

}  // namespace

void reload(const std::filesystem::path& config, Reloaded& running) {
  const Configuration configuration = read_configuration(config);
  const auto& faults = configuration.faults;
  if (!faults.empty()) {
    const std::string others =
        faults.size() > 1 ? "; " + std::to_string(faults.size() - 1) + " more faults" : "";
    return say_failed(to_string(faults.front()) + others);
  }
  constexpr const char* kTheRest = "; what else has changed in the configuration waits for the next start";
  if (running.hub != nullptr) {
    const auto& clients = configuration.hub.clients;
    if (auto taken = running.hub->allow(clients); !taken) return say_failed(taken.error().text);
    server::log_notice("keys-reloaded",
                       std::to_string(clients.size()) + " keys may connect: " +
                           std::to_string(missing_from(running.allowed, clients)) + " new, " +
                           std::to_string(missing_from(clients, running.allowed)) + " taken off" + kTheRest);
    running.allowed = clients;
  }
  if (running.channels != nullptr) {
    const auto found = running.channels->allow_tokens(configuration.channels);
    server::log_notice("tokens-reloaded", "the tokens of " + std::to_string(found) +
                                              " HTTP channels are those of the configuration" + kTheRest);
  }
}

}  // namespace carehub::app
