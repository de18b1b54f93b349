// What people write: a configuration, the broker's side of hub.toml, read with every fault found in its
// place. The files that it names are looked for beside the seeds.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "broker/base/names.hpp"
#include "broker/server/config.hpp"

namespace {

using namespace carehub;

const std::string kFile = CAREHUB_SOURCE_DIR "/tests/fuzz/seeds/configuration/hub.toml";

void require(bool holds) {
  if (!holds) std::abort();
}

/// Every fault says what it is, what to do, and where, on a line that is there.
void check_faults(const std::vector<ConfigFault>& faults, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const auto& fault : faults) {
    require(!fault.text.empty() && !fault.remedy.empty() && !fault.file.empty());
    require(fault.file != kFile || fault.line <= lines);
    require(to_string(fault).starts_with(fault.file));
  }
}

/// What is good lets nobody in by what it leaves out.
void check_good(const server::HubConfig& config) {
  require(!config.name.empty() && !config.data.empty() && !config.listen.empty());
  require(!config.rules.policy_text.empty() && !config.policy.rules().empty());
  std::set<std::string> agencies;
  for (const auto& agency : config.rules.agencies)
    require(is_plain_name(agency.id) && agencies.insert(agency.id).second);
  std::set<std::string> keys;
  for (const auto& client : config.clients) {
    require(is_plain_name(client.client) && client.public_key.size() == 40);
    require(keys.insert(client.public_key).second);
    require(client.agency.empty() || agencies.contains(client.agency));
  }
  for (const auto& endpoint : config.listen) {
    require(endpoint.starts_with("ipc://") || endpoint.starts_with("tcp://"));
    if (endpoint.starts_with("tcp://")) require(!config.curve_secret_file.empty() && !config.clients.empty());
  }
  for (const auto& channel : config.rules.inbound)
    require(is_plain_name(channel.name) && agencies.contains(channel.agency));
  for (const auto& subscription : config.rules.subscriptions) {
    const auto& all = config.rules.agencies;
    const auto owner = std::find_if(all.begin(), all.end(),
                                    [&](const auto& agency) { return agency.id == subscription.agency; });
    require(is_plain_name(subscription.name) && owner != all.end());
    require(std::find(owner->roles.begin(), owner->roles.end(), subscription.role) != owner->roles.end());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto document = ConfigDocument::parse(text, kFile);
  if (document.faults().empty()) {
    const auto config = server::read_config(document);
    if (document.faults().empty()) check_good(config);
    document.report_unused();
  }
  check_faults(document.faults(), text);
  return 0;
}
