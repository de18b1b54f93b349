#pragma once

#include <string>
#include <vector>

#include "broker/app/commands.hpp"
#include "broker/server/config.hpp"

/// The sharing register that data protection asks for, out of the configuration alone.
namespace carehub::app {

/// What one rule shares with one agency that holds its role.
struct Sharing {
  std::string rule;
  std::vector<std::string> from;    // ids of the agencies that may publish such events
  std::vector<std::string> events;  // types, and which children they are about
  std::vector<std::string> fields;  // paths, and how they are coarsened
  std::string with;                 // the agency's id; empty: operators who ask in the role
  std::string role;
  std::vector<std::string> purposes;  // of the agreement
  std::string legal_basis;
  std::string agreement;  // empty: none is needed
  std::string until;      // the agreement's last day
};

/// In the order of the policy's rules, and of the agencies within a rule.
std::vector<Sharing> sharing_register(const server::HubConfig& config);

struct PolicyRegisterOptions {
  std::filesystem::path config;
  bool csv = false;
};
/// Prints the register as a table or as CSV. Needs no running hub.
ExitCode policy_register(const PolicyRegisterOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
