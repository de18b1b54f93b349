// What people write: a configuration, the adapters' side of hub.toml, read with every fault found in its
// place. The files that it names are looked for in a folder of this process's own.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <string>

#include "adapters/channel/channel_config.hpp"
#include "adapters/channel/transport_config.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace {

using namespace carehub;
using namespace carehub::adapters;

constexpr const char* kToken = "rOPqwQ5o6SK2CL3Wg0Zc";
constexpr const char* kOpen = "whsec_MTExMTExMTExMTExMTExMTExMTExMTExMTEx";
const std::array<std::string, 2> kKeys{"whsec_MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY=",
                                       "whsec_enl4d3Z1dHNycXBvbm1sa2ppaGdmZWRjYmE5ODc2NTQ="};

void require(bool holds) {
  if (!holds) std::abort();
}

/// What the seeds name.
struct Home {
  Home() {
    folder.write(
        "in.toml",
        "[pack]\nname = \"in\"\nversion = \"1\"\nformat = \"json\"\ndirection = \"in\"\nnative = true\n");
    folder.write("over.toml", "");
    folder.write_secret("a.token", kToken);
    folder.write_secret("hash.token",
                        "sha256:f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2\n");
    folder.write_secret("a.secret", kKeys[0]);
    folder.write_secret("b.secret", kKeys[1]);
    folder.write("open.token", kOpen);
    for (const char* name : {"in", "out", "shadow"}) std::filesystem::create_directory(folder.path() / name);
  }
  fakes::TemporaryFolder folder;
};

bool holds_secret(std::string_view text) {
  return std::ranges::any_of(std::array<std::string_view, 4>{kToken, kOpen, kKeys[0], kKeys[1]},
                             [&](std::string_view secret) { return text.find(secret) != text.npos; });
}

/// Every fault says what it is, what to do, and where, on a line that is there; none tells a secret.
void check_faults(const std::vector<ConfigFault>& faults, const std::string& file, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const auto& fault : faults) {
    require(!fault.text.empty() && !fault.remedy.empty() && !fault.file.empty());
    require(fault.file != file || fault.line <= lines);
    require(to_string(fault).starts_with(fault.file));
    require(holds_secret(text) || !holds_secret(to_string(fault)));
  }
}

/// Good listeners have a port of their own, and let nobody on a network post without a token.
struct Listeners {
  std::set<std::uint16_t> ports;
  void check(const std::string& address, std::uint16_t port) {
    in6_addr parsed{};
    require(::inet_pton(AF_INET, address.c_str(), &parsed) == 1 ||
            ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1);
    require(port != 0 && ports.insert(port).second);
  }
  void operator()(const MllpListenerOptions& mllp) {
    check(mllp.address, mllp.port);
    require(mllp.connections_max >= 1 && mllp.connections_max <= limits::kMllpConnectionsMax);
  }
  void operator()(const HttpListenerOptions& http) {
    check(http.address, http.port);
    require(http.path.starts_with("/") && (is_loopback(http.address) || !http.tokens.empty()));
    require(judge(http.tokens, kOpen, "192.0.2.7", SystemClock().now()) != TokenVerdict::good);
    require(http.connections_max >= 1 && http.connections_max <= limits::kHttpConnectionsMax);
  }
  void operator()(const FolderReaderOptions& folder) {
    require(folder.directory.is_absolute() && folder.pattern.find('/') == std::string::npos);
  }
  void operator()(const FolderWriterOptions& folder) {
    require(folder.directory.is_absolute() && check_name_pattern(folder.name).has_value());
  }
  /// A webhook goes nowhere that is not allowed by name, and something signs always where anything does.
  void operator()(const WebhookSenderOptions& webhook) {
    const auto rules = AddressRules::make(webhook.allow_addresses);
    require(rules.has_value() && check_webhook_url(webhook.url).has_value());
    require(check_webhook_host(webhook.url, *rules).has_value());
    require(webhook.token.empty() || webhook.token.size() >= 16);
    require(webhook.token != kOpen);
    for (const auto& each : webhook.signing_keys) {
      require(each.key.size() >= 24 && each.key.size() <= 64);
      require(each.key != *signing_key_from(kOpen));
    }
    require(webhook.signing_keys.empty() ||
            std::ranges::any_of(webhook.signing_keys, [](const auto& each) { return each.until.empty(); }));
  }
};

void check_good(const std::vector<ChannelConfig>& channels, const std::optional<TileListenerOptions>& tiles) {
  Listeners listeners;
  for (const auto& channel : channels) {
    std::visit([&](const auto& transport) { listeners(transport); }, channel.transport);
    require(channel.direction == Direction::out || channel.pack != nullptr);
    require(channel.pack == nullptr || channel.pack->direction == channel.direction);
    require(channel.credit >= 1 && channel.credit <= limits::kCreditMax);
    require(channel.shadow.empty() || std::filesystem::is_directory(channel.shadow));
    require(!describe(channel).empty());
  }
  if (tiles) listeners.check(tiles->address, tiles->port);
  for (const auto& doubt : doubts_about(channels, tiles, SystemClock().now())) require(!doubt.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Home home;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = (home.folder.path() / "hub.toml").string();
  auto document = ConfigDocument::parse(text, file);
  if (document.faults().empty()) {
    const auto channels = read_channels(document);
    const auto tiles = read_tiles(document, channels);
    if (document.faults().empty()) check_good(channels, tiles);
    document.report_unused();
  }
  check_faults(document.faults(), file, text);
  return 0;
}
