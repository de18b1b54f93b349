#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "adapters/channel/channel_set.hpp"
#include "broker/server/hub.hpp"

namespace carehub::app {

/// What of a running process a configuration that is read again may change.
struct Reloaded {
  server::Hub* hub = nullptr;                // nullptr: an adapter alone
  std::vector<server::AllowedKey> allowed;   // the keys that may connect to it
  std::string policy_text;                   // what the configuration said last
  adapters::ChannelSet* channels = nullptr;  // nullptr: a broker alone
};

/// Reads the configuration again and takes from it what may change while the program runs: the keys that may
/// connect, the tokens of HTTP channels, the tokens and signing keys of webhooks, and the policy, where its
/// text is another than the configuration had last: one that operators applied stays as long as nobody
/// changes the configuration's. A configuration with any fault changes nothing and raises an alarm; so does a
/// policy that the hub refuses, and the one that decides stays. Waits for the hub's answer to a changed
/// policy, a minute at most for each question.
void reload(const std::filesystem::path& config, Reloaded& running);

}  // namespace carehub::app
