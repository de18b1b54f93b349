#include "adapters/channel/channel_config.hpp"

#include "adapters/channel/transport_config.hpp"
#include "broker/base/config_files.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

class ChannelReader {
 public:
  explicit ChannelReader(ConfigDocument& document)
      : document_(document), home_(document.file().parent_path()), transports_(home_) {
    auto root = document.root();
    if (auto hub = root.table("hub")) {
      packs_ = home_ / hub->optional_text("packs").value_or(".");
      hub_ = hub->optional_text("name").value_or("");
    }
  }

  std::vector<ChannelConfig> read() {
    std::vector<ChannelConfig> channels;
    auto root = document_.root();
    for (ConfigTable& table : root.tables("channel")) {
      if (auto channel = read_one(table)) channels.push_back(std::move(*channel));
    }
    return channels;
  }

 private:
  std::optional<ChannelConfig> read_one(ConfigTable& table) {
    for (const char* key : {"scope", "filter", "retry", "start", "rate_per_minute"}) table.known(key);
    ChannelConfig channel;
    // The broker says what is wrong with these.
    channel.name = table.optional_text("name").value_or("");
    channel.agency = table.optional_text("agency").value_or("");
    channel.hub = hub_;
    const std::string direction = table.optional_text("direction").value_or("");
    channel.direction = direction == "out" ? Direction::out : Direction::in;
    if (direction != "in" && direction != "out") {
      for (const char* key : {"transport", "pack", "overrides", "unmappable", "role", "credit", "shadow"})
        table.known(key);
      return std::nullopt;
    }
    auto transport = transports_.read(table, channel.name, channel.direction);
    read_pack(table, channel);
    channel.direction == Direction::in ? read_inbound(table, channel) : read_outbound(table, channel);
    if (!transport) return std::nullopt;
    channel.transport = std::move(*transport);
    return channel;
  }

  void read_inbound(ConfigTable& table, ChannelConfig& channel) {
    const std::string unmappable = table.optional_text("unmappable").value_or("refuse");
    channel.unmappable = unmappable == "keep" ? Unmappable::keep : Unmappable::refuse;
    if (unmappable != "keep" && unmappable != "refuse") {
      table.fault(
          "unmappable", "`" + unmappable + "` does not say what becomes of a message that cannot be mapped",
          "Write \"refuse\" (the sender is told) or \"keep\" (acknowledged once it is stored, and an alarm)");
    }
    if (table.has("shadow")) {
      table.known("shadow");
      table.fault("shadow", "only an outbound channel can be a shadow", "Remove it here");
    }
    if (!table.has("pack")) {
      table.fault("pack", "the channel has no mapping pack",
                  "Add pack = \"hospital/hl7v2.toml\", or your own");
    }
  }

  void read_outbound(ConfigTable& table, ChannelConfig& channel) {
    channel.role = table.optional_text("role").value_or("");
    channel.shadow = transports_.read_shadow(table);
    channel.credit =
        static_cast<std::uint32_t>(table.integer("credit", channel.credit, 1, limits::kCreditMax));
  }

  void read_pack(ConfigTable& table, ChannelConfig& channel) {
    const auto overrides = table.optional_text("overrides");
    std::optional<fs::path> overrides_file;
    if (overrides) overrides_file = home_ / *overrides;
    const auto name = table.optional_text("pack");
    if (!name) {
      if (overrides) table.fault("overrides", "there is no pack to change", "Add pack, or remove overrides");
      return;
    }
    channel.pack_name = *name;
    const fs::path file = (packs_ / *name).lexically_normal();
    if (!check_file(table, "pack", file,
                    {"there is no mapping pack " + file.string(),
                     "Packs are found under `packs` of [hub]; check the name"}))
      return;
    if (overrides_file && !check_file(table, "overrides", *overrides_file,
                                      {"there is no file " + overrides_file->lexically_normal().string(),
                                       "Paths start at the configuration's own folder; check the name"}))
      return;
    channel.pack = load_pack(file, overrides_file, document_.faults());
    if (channel.pack && channel.pack->direction != channel.direction) {
      table.fault(
          "pack",
          "the pack is for direction " + std::string(channel.pack->direction == Direction::in ? "in" : "out"),
          "Choose a pack for this direction");
    }
  }

  ConfigDocument& document_;
  fs::path home_;
  fs::path packs_;
  std::string hub_;
  TransportReader transports_;
};

std::string describe(const std::optional<TlsOptions>& tls) {
  if (!tls) return "";
  return tls->client_ca_file.empty() ? ", TLS" : ", TLS with client certificates";
}

}  // namespace

std::vector<ChannelConfig> read_channels(ConfigDocument& document) { return ChannelReader(document).read(); }

std::optional<TileListenerOptions> read_tiles(ConfigDocument& document,
                                              const std::vector<ChannelConfig>& channels) {
  auto root = document.root();
  auto table = root.table("tiles");
  if (!table) return std::nullopt;
  TileListenerOptions options;
  options.address = TransportReader::read_address(*table);
  const auto port = table->optional_integer("port", 1, 65535);
  if (!port && !table->has("port"))
    table->fault("port", "the port is missing", "Add port = 8090, or another that is free");
  options.port = static_cast<std::uint16_t>(port.value_or(0));
  for (const ChannelConfig& channel : channels) {
    const auto* mllp = std::get_if<MllpListenerOptions>(&channel.transport);
    const auto* http = std::get_if<HttpListenerOptions>(&channel.transport);
    const std::uint16_t taken = mllp != nullptr   ? mllp->port
                                : http != nullptr ? http->port
                                                  : std::uint16_t{0};
    if (options.port == 0 || taken != options.port) continue;
    table->fault("port", "port " + std::to_string(taken) + " is taken by the channel " + channel.name,
                 "Give each a port of its own");
  }
  options.tls = TransportReader(document.file().parent_path()).read_tls(*table);
  options.connections_max = static_cast<std::size_t>(
      table->integer("connections_max", limits::kHttpConnectionsMax, 1, limits::kHttpConnectionsMax));
  return options;
}

std::string describe(const ChannelConfig& channel) {
  const std::string transport = std::visit(
      Overloaded{
          [](const MllpListenerOptions& mllp) {
            return "mllp on " + mllp.address + ":" + std::to_string(mllp.port) + describe(mllp.tls);
          },
          [](const HttpListenerOptions& http) {
            return "http on " + http.address + ":" + std::to_string(http.port) + http.path +
                   (http.tokens.empty() ? " without a token" : "") + describe(http.tls);
          },
          [](const FolderReaderOptions& folder) {
            return "folder " + folder.directory.string() + "/" + folder.pattern;
          },
          [](const FolderWriterOptions& folder) {
            return "folder " + folder.directory.string() + "/" + folder.name;
          },
          [](const WebhookSenderOptions& webhook) {
            return "webhook to " + webhook.url + (webhook.signing_keys.empty() ? "" : ", signed");
          },
      },
      channel.transport);
  const bool in = channel.direction == Direction::in;
  return channel.name + ": " + (in ? "in from " : "out to ") + channel.agency +
         (in ? "" : " as " + channel.role) + ", " + transport +
         (channel.pack_name.empty() ? "" : ", pack " + channel.pack_name) +
         (channel.shadow.empty() ? "" : ", a shadow: sends nothing, writes to " + channel.shadow.string()) +
         (channel.unmappable == Unmappable::keep ? ", keeps what it cannot map" : "");
}

std::vector<std::string> doubts_about(const std::vector<ChannelConfig>& channels,
                                      const std::optional<TileListenerOptions>& tiles, Timestamp now) {
  std::vector<std::string> doubts;
  const auto doubt = [&](const std::string& name, const std::string& address,
                         const std::optional<TlsOptions>& tls, bool about_people) {
    if (!tls && about_people && !is_loopback(address)) {
      doubts.push_back(
          name + " takes messages on " + address +
          " without TLS, so that whoever is on that network can read them: add tls = { "
          "certificate_file = ..., key_file = ... }, or have a proxy or tunnel on this machine do it");
    }
    if (!tls) return;
    const auto identity = TlsIdentity::load(*tls);
    if (!identity) return;  // a fault already
    if (const auto warning = expiry_warning(*tls, (*identity)->expires_at(), now); !warning.empty())
      doubts.push_back(name + ": " + warning);
  };
  for (const ChannelConfig& channel : channels) {
    const std::string name = "channel `" + channel.name + "`";
    if (const auto* mllp = std::get_if<MllpListenerOptions>(&channel.transport))
      doubt(name, mllp->address, mllp->tls, true);
    if (const auto* http = std::get_if<HttpListenerOptions>(&channel.transport))
      doubt(name, http->address, http->tls, true);
  }
  if (tiles) doubt("[tiles]", tiles->address, tiles->tls, false);
  return doubts;
}

}  // namespace carehub::adapters
