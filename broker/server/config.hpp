#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/config_reader.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/rules.hpp"
#include "broker/server/authenticator.hpp"
#include "broker/server/witnesses.hpp"
#include "broker/storage/master_key.hpp"

/// The broker's side of hub.toml: [hub], [broker], [connect], [[agency]], [[client]], and of each [[channel]]
/// the keys that decide (agency, direction, scope, role, filter, retry). Ages are birthdays: age_max = 18 is
/// under 18. How a channel speaks to its partner is read by adapters/channel from the same document.
namespace carehub::server {

/// How a process of its own (an adapter, a command) reaches the hub; absent: the socket in the data
/// directory.
struct ConnectRules {
  std::string endpoint;
  std::filesystem::path server_key_file;  // the broker's public key
  std::filesystem::path secret_key_file;  // this process's own secret key
};

struct HubConfig {
  std::string name;
  std::filesystem::path data;
  std::filesystem::path packs;
  storage::MasterKeySource master_key;
  std::string origin;                               // of the ledger's checkpoints; empty: the usual
  std::filesystem::path signing_key_file;           // empty: in the data directory
  std::vector<std::filesystem::path> vault_copies;  // directories where backups of the vault are kept
  WitnessRules witnesses;
  std::uint32_t scrub_days = 7;     // in which all of the ledger is verified once
  std::vector<std::string> listen;  // whole endpoints: ipc:///srv/carehub/hub.sock, tcp://10.0.0.1:5570
  std::filesystem::path curve_secret_file;  // empty without a TCP endpoint
  std::vector<AllowedKey> clients;          // over TCP
  std::optional<ConnectRules> connect;
  core::HubRules rules;
  core::Policy policy;  // parsed from rules.policy_text

  /// The ipc endpoint that local commands use; empty when the broker listens on TCP alone.
  std::string local_endpoint() const;
};

/// Reads the broker's keys and the policy file. Every fault, the policy's included, is in `document.faults()`
/// afterwards; the result is good only when there are none. Does not report unused keys: the adapters read
/// the same document. Opens no file but the policy, makes nothing.
HubConfig read_config(ConfigDocument& document);

/// A path as written in a configuration file: relative ones start at the file's folder.
std::filesystem::path beside(const ConfigDocument& document, const std::string& path);

}  // namespace carehub::server
