#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/console/accounts.hpp"
#include "adapters/formats/json.hpp"
#include "broker/base/config_reader.hpp"

namespace carehub::adapters {

/// The provider by whom people sign in (OpenID Connect Core 1.0), and what its claims make of them here.
struct OpenIdOptions {
  std::string issuer;                             // as the provider itself writes it
  std::string client_id;                          // whom the provider knows the console as
  std::filesystem::path client_secret_file = {};  // empty: the provider asks for none
  std::string address;  // https://hub.example.org, which browsers reach the console by
  std::string scope = "openid profile";
  std::string roles_claim = "roles";
  std::map<std::string, std::vector<std::string>> roles = {};  // a value of that claim: roles of the policy
  std::string ca_file = {};  // PEM of whom the provider's server is known by; empty: the system's
};

/// `console.openid`, its files looked into; nullopt where there is none. `roles`: those of the policy.
std::optional<OpenIdOptions> read_open_id(ConfigTable& console, const std::filesystem::path& folder,
                                          const std::vector<std::string>& roles);

/// Where the provider leads people back to.
constexpr const char* kArrivalPath = "/sign-in/openid/done";

/// Who the claims say it is, with the roles that are named for a value of the roles' claim: nothing else of
/// it makes a role. Its id is a hash of issuer and subject, the same at each sign-in.
SignedIn who_claims_say(const json::Value& claims, const OpenIdOptions& options);
/// Whether the claims have the roles' claim at all.
bool has_roles_claim(const json::Value& claims, const OpenIdOptions& options);
/// Whether it is the id of somebody whom a provider let in.
bool is_of_provider(const std::string& id);

}  // namespace carehub::adapters
