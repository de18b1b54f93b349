#include "broker/app/reload.hpp"

#include <algorithm>

#include "broker/app/configuration.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/policy_questions.hpp"
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
  server::log_alarm("reload_failed", "keys, tokens, secrets and policy stay as they were: " + why);
}

/// As `carehub policy apply` does it, over a connection of its own; the version that decides then.
Result<std::uint64_t> apply_policy(server::Hub& hub, const core::HubRules& rules) {
  client::ClientOptions options;
  options.client = core::kByConfiguration;
  options.endpoint = server::kInprocEndpoint;
  options.zmq_context = hub.zmq_context();
  const auto connection = connect(std::move(options), "here");
  if (!connection) return tl::unexpected(connection.error());
  const auto current = current_policy(**connection);
  if (!current) return tl::unexpected(current.error());
  if (current->text == rules.policy_text) return current->version;
  wire::ChangePolicyT change;
  change.text = rules.policy_text;
  change.file = rules.policy_file;
  change.expected_version = current->version;
  change.by = "reload";
  change.reason = "the configuration was read again, and its policy had changed";
  const auto applied = ask(**connection, std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  return applied->sequence;
}

/// A refused text is tried again with the next SIGHUP.
void reload_policy(const core::HubRules& rules, Reloaded& running) {
  if (rules.policy_text == running.policy_text) return;
  const auto version = apply_policy(*running.hub, rules);
  if (!version)
    return server::log_alarm("policy_reload_failed", "the policy that decides stays, and " +
                                                         rules.policy_file +
                                                         " was not taken: " + version.error().text);
  running.policy_text = rules.policy_text;
  server::log_notice("policy-reloaded", "policy " + std::to_string(*version) +
                                            " is the configuration's and decides from the next event on");
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
  const std::string now =
      running.hub != nullptr ? "keys, tokens, webhooks' secrets and policy" : "tokens and webhooks' secrets";
  const std::string the_rest =
      "; what has changed in the configuration beside " + now + " waits for the next start";
  if (running.hub != nullptr) {
    const auto& clients = configuration.hub.clients;
    if (auto taken = running.hub->allow(clients); !taken) return say_failed(taken.error().text);
    server::log_notice("keys-reloaded",
                       std::to_string(clients.size()) + " keys may connect: " +
                           std::to_string(missing_from(running.allowed, clients)) + " new, " +
                           std::to_string(missing_from(clients, running.allowed)) + " taken off" + the_rest);
    running.allowed = clients;
  }
  if (running.channels != nullptr) {
    const auto found = running.channels->allow_tokens(configuration.channels);
    server::log_notice("tokens-reloaded", "the tokens of " + std::to_string(found) +
                                              " HTTP channels are those of the configuration" + the_rest);
    const auto taken = running.channels->take_secrets(configuration.channels);
    server::log_notice("secrets-reloaded", "the tokens and secrets of " + std::to_string(taken) +
                                               " webhooks are those of the configuration" + the_rest);
  }
  // Last: what it waits for must not keep a key or a token that is taken off in use.
  if (running.hub != nullptr) reload_policy(configuration.hub.rules, running);
}

}  // namespace carehub::app
