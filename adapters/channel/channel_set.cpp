#include "adapters/channel/channel_set.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "adapters/channel/renderer.hpp"
#include "adapters/channel/shadow.hpp"
#include "adapters/transports/line_file.hpp"

namespace carehub::adapters {
namespace {

std::unique_ptr<InboundTransport> make_inbound_transport(const TransportConfig& config, IoThread& io) {
  if (const auto* mllp = std::get_if<MllpListenerOptions>(&config))
    return std::make_unique<MllpListener>(io, *mllp);
  if (const auto* http = std::get_if<HttpListenerOptions>(&config))
    return std::make_unique<HttpListener>(io, *http);
  if (const auto* folder = std::get_if<FolderReaderOptions>(&config))
    return std::make_unique<FolderReader>(*folder);
  return nullptr;
}

/// A shadow has nothing of the partner's but its configuration.
Result<std::unique_ptr<Sender>> make_sender(const ChannelConfig& channel, IoThread& io) {
  const TransportConfig& config = channel.transport;
  if (!channel.shadow.empty()) {
    auto lines = LineFile::make({.channel = channel.name, .directory = channel.shadow});
    if (!lines) return tl::unexpected(lines.error());
    return std::unique_ptr<Sender>(std::move(*lines));
  }
  if (const auto* folder = std::get_if<FolderWriterOptions>(&config))
    return std::make_unique<FolderWriter>(*folder);
  if (const auto* webhook = std::get_if<WebhookSenderOptions>(&config)) {
    auto sender = WebhookSender::make(io, *webhook);
    if (!sender) return tl::unexpected(sender.error());
    return std::unique_ptr<Sender>(std::move(*sender));
  }
  return fail(ErrorKind::invalid, "its transport does not send");
}

tl::unexpected<Error> named(const ChannelConfig& config, Error error) {
  error.text = "channel " + config.name + ": " + error.text;
  return tl::unexpected(std::move(error));
}

/// A line when the hub is lost and one when it is back; a reason that stays the same is told once.
std::function<void(const Error*)> tell_connection(const std::string& channel) {
  return [channel, told = std::string()](const Error* lost) mutable {
    if (lost != nullptr && lost->text != told) {
      told = lost->text;
      spdlog::error("channel={} code=CH-NO-HUB alarm=true not connected to the hub, tries again: {}", channel,
                    told);
    } else if (lost == nullptr && !told.empty()) {
      told.clear();
      spdlog::info("channel={} connected to the hub", channel);
    }
  };
}

}  // namespace

Result<std::unique_ptr<InboundChannel>> make_inbound(const ChannelConfig& config, const ChannelParts& parts) {
  auto transport = make_inbound_transport(config.transport, parts.io);
  if (!transport || !config.pack) {
    return named(config,
                 {ErrorKind::invalid, "an inbound channel needs a transport that takes in, and a pack"});
  }
  InterpreterOptions options;
  options.agency = config.agency;
  options.channel = config.name;
  options.unmappable = config.unmappable;
  options.random = &parts.random;
  return std::make_unique<InboundChannel>(config.name, config.unmappable, std::move(transport),
                                          make_interpreter(config.pack, std::move(options)), parts.hub,
                                          parts.io);
}

Result<std::unique_ptr<OutboundChannel>> make_outbound(const ChannelConfig& config,
                                                       const ChannelParts& parts) {
  auto sender = make_sender(config, parts.io);
  if (!sender) return named(config, sender.error());
  RendererOptions rendering;
  if (!config.hub.empty()) rendering.hub = config.hub;
  client::SubscribeOptions subscription;
  subscription.name = config.name;
  subscription.role = config.role;
  subscription.credit = config.credit;
  auto renderer = make_renderer(config.pack, std::move(rendering));
  if (!config.shadow.empty()) {
    renderer = make_shadow_renderer(config, std::move(renderer));
    spdlog::info("channel={} is a shadow: it sends nothing to its partner and writes to {}", config.name,
                 config.shadow.string());
  }
  return std::make_unique<OutboundChannel>(std::move(subscription), std::move(renderer), std::move(*sender),
                                           parts.hub);
}

struct ChannelSet::Impl {
  struct Running {
    Direction direction = Direction::in;
    std::unique_ptr<client::HubClient> hub;
    std::unique_ptr<InboundChannel> in;
    std::unique_ptr<OutboundChannel> out;
    std::string url;  // of a webhook that is sent to
  };

  Result<void> build(const ChannelConfig& config, client::ClientOptions options) {
    options.client = config.name;
    options.agency = config.agency;
    options.on_connection = tell_connection(config.name);
    auto hub = client::HubClient::open(std::move(options));
    if (!hub) return named(config, hub.error());
    Running running;
    running.direction = config.direction;
    running.hub = std::move(*hub);
    const ChannelParts parts{*running.hub, io, random};
    if (config.direction == Direction::in) {
      auto channel = make_inbound(config, parts);
      if (!channel) return tl::unexpected(channel.error());
      running.in = std::move(*channel);
    } else {
      auto channel = make_outbound(config, parts);
      if (!channel) return tl::unexpected(channel.error());
      running.out = std::move(*channel);
      const auto* webhook = std::get_if<WebhookSenderOptions>(&config.transport);
      if (webhook != nullptr && config.shadow.empty()) running.url = webhook->url;
    }
    channels.push_back(std::move(running));
    return {};
  }

  Result<void> build(const TileListenerOptions& options, client::ClientOptions to_hub) {
    to_hub.client = "tiles";
    to_hub.on_connection = tell_connection(to_hub.client);
    auto opened = client::HubClient::open(std::move(to_hub));
    if (!opened) return tl::unexpected(opened.error());
    tiles_hub = std::move(*opened);
    tiles = std::make_unique<TileListener>(io, options, *tiles_hub);
    return {};
  }

  /// Listeners first: they are what can fail, and then nothing has been delivered yet. What they take in
  /// before the outbound channels have subscribed is not lost to those: the hub makes the durable
  /// subscriptions of its configuration before it serves anybody, and keeps what waits for them.
  Result<void> start() {
    for (const Running& running : channels) {
      if (!running.in) continue;
      if (auto started = running.in->start(); !started) return started;
    }
    if (tiles) {
      if (auto started = tiles->start(); !started) return started;
    }
    for (const Running& running : channels) {
      if (!running.out) continue;
      if (auto started = running.out->start(); !started) return started;
    }
    return {};
  }

  /// Side by side, so that one slow partner does not use up the time of all.
  void stop() {
    std::vector<std::thread> stopping;
    stopping.reserve(channels.size());
    for (const Running& running : channels) {
      stopping.emplace_back([&running] {
        if (running.in) running.in->stop();
        if (running.out) running.out->stop();
      });
    }
    if (tiles) tiles->stop();
    for (std::thread& thread : stopping) thread.join();
    for (const Running& running : channels) running.hub->close();
    if (tiles_hub) tiles_hub->close();
  }

  SystemRandom random;
  IoThread io;  // outlives the channels, and they their clients' last callbacks
  std::vector<Running> channels;
  std::unique_ptr<client::HubClient> tiles_hub;
  std::unique_ptr<TileListener> tiles;
};

ChannelSet::ChannelSet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ChannelSet::~ChannelSet() { stop(); }

Result<std::unique_ptr<ChannelSet>> ChannelSet::start(const std::vector<ChannelConfig>& channels,
                                                      const client::ClientOptions& hub,
                                                      const std::optional<TileListenerOptions>& tiles) {
  // From here on its destructor stops whatever has been started.
  auto set = std::unique_ptr<ChannelSet>(new ChannelSet(std::make_unique<Impl>()));
  for (const ChannelConfig& config : channels) {
    if (auto built = set->impl_->build(config, hub); !built) return tl::unexpected(built.error());
  }
  if (tiles) {
    if (auto built = set->impl_->build(*tiles, hub); !built) return tl::unexpected(built.error());
  }
  if (auto started = set->impl_->start(); !started) return tl::unexpected(started.error());
  for (const ChannelConfig& config : channels) spdlog::debug("channel {}", describe(config));
  return set;
}

void ChannelSet::stop() { impl_->stop(); }

std::size_t ChannelSet::allow_tokens(const std::vector<ChannelConfig>& channels) {
  std::size_t found = 0;
  for (const ChannelConfig& config : channels) {
    const auto* http = std::get_if<HttpListenerOptions>(&config.transport);
    const auto running = std::ranges::find_if(impl_->channels, [&config](const Impl::Running& each) {
      return each.in && each.in->name() == config.name;
    });
    if (http == nullptr || running == impl_->channels.end()) continue;
    running->in->allow(http->tokens);
    ++found;
  }
  return found;
}

std::size_t ChannelSet::take_secrets(const std::vector<ChannelConfig>& channels) {
  std::size_t taken = 0;
  for (const ChannelConfig& config : channels) {
    const auto* webhook = std::get_if<WebhookSenderOptions>(&config.transport);
    if (webhook == nullptr) continue;
    const auto running = std::ranges::find_if(impl_->channels, [&](const Impl::Running& each) {
      return each.out && each.out->name() == config.name && each.url == webhook->url;
    });
    if (running == impl_->channels.end()) continue;
    running->out->take({webhook->token, webhook->signing_keys});
    ++taken;
  }
  return taken;
}

std::vector<ChannelStatus> ChannelSet::status() const {
  std::vector<ChannelStatus> all;
  for (const Impl::Running& running : impl_->channels) {
    ChannelStatus status;
    status.direction = running.direction;
    status.connected = running.hub->connected();
    status.name = running.in ? running.in->name() : running.out->name();
    if (running.in) status.in = running.in->counts();
    if (running.out) status.out = running.out->counts();
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace carehub::adapters
