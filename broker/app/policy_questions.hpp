#pragma once

#include "broker/app/commands.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::app {

/// What a role sees of one event, field by field, and why.
struct PolicyExplainOptions {
  std::filesystem::path config;
  std::string role;
  std::uint64_t event = 0;
  std::string agency;  // empty: each that holds the role
  std::string policy;  // a file or folder; empty: the policy that decides in the running hub
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode policy_explain(const PolicyExplainOptions& options, Surroundings& surroundings);

/// Who would see more or less of what under another policy, tried on the events of the last days.
struct PolicyDiffOptions {
  static constexpr std::uint32_t kDays = 30;
  static constexpr std::uint32_t kDaysMax = 3660;
  std::filesystem::path config;
  std::string old_policy;  // a file or folder, or kCurrentPolicy
  std::string new_policy;
  std::uint32_t days = kDays;
  std::string by;
  std::string reason;
  bool csv = false;
  bool json = false;
};
/// In a policy's place: the one that decides in the running hub.
constexpr const char* kCurrentPolicy = "current";
ExitCode policy_diff(const PolicyDiffOptions& options, Surroundings& surroundings);

/// Another policy in the place of the one that decides in the running hub, from the next event on. What would
/// change is shown and asked about first.
struct PolicyApplyOptions {
  std::filesystem::path config;
  std::string policy;  // a file or folder
  std::string by;
  std::string reason;
  bool preview = false;
  bool yes = false;  // do not ask
  bool json = false;
};
ExitCode policy_apply(const PolicyApplyOptions& options, Surroundings& surroundings);

/// The policy that decides in a running hub.
struct CurrentPolicy {
  std::uint64_t version = 0;
  std::string text;
};
/// Asks for it; only an operator's connection is told.
Result<CurrentPolicy> current_policy(client::HubClient& hub);

/// A policy's text, as it would be recorded, out of its file or folder, or standard input for "-", once it
/// has no fault; all faults are printed. nullopt: leave with ExitCode::wrong_input.
std::optional<std::string> sound_policy(const std::string& file, Surroundings& surroundings);

}  // namespace carehub::app
