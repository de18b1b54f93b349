#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/channel/channel_config.hpp"
#include "adapters/channel/inbound_channel.hpp"
#include "adapters/channel/outbound_channel.hpp"

/// The channels of one process: each with a HubClient of its own, all on one IoThread.
namespace carehub::adapters {

/// What a channel is built from. All outlive it.
struct ChannelParts {
  client::HubClient& hub;
  IoThread& io;
  Random& random;  // thread-safe
};

/// For a channel of direction in. Error `invalid`: the configuration lacks what it needs.
Result<std::unique_ptr<InboundChannel>> make_inbound(const ChannelConfig& config, const ChannelParts& parts);
/// For a channel of direction out.
Result<std::unique_ptr<OutboundChannel>> make_outbound(const ChannelConfig& config,
                                                       const ChannelParts& parts);

/// The state of one channel, for status pages and metrics.
struct ChannelStatus {
  std::string name;
  Direction direction = Direction::in;
  bool connected = false;  // to the hub
  InboundCounts in;
  OutboundCounts out;
};

/// Not thread-safe, apart from status().
class ChannelSet {
 public:
  /// Builds and starts all channels. `hub` says how to reach the hub; client and agency are filled in for
  /// each. When one cannot start (a port is taken) all are stopped again, and its error is returned.
  /// Beside them, where `tiles` is set, the hub's checkpoint and tiles are served.
  static Result<std::unique_ptr<ChannelSet>> start(
      const std::vector<ChannelConfig>& channels, const client::ClientOptions& hub,
      const std::optional<TileListenerOptions>& tiles = std::nullopt);
  ~ChannelSet();

  /// Stops taking in, lets what is under way finish, closes the connections to the hub. Called by the
  /// destructor.
  void stop();
  std::vector<ChannelStatus> status() const;
  /// Takes the tokens of its HTTP channels from a configuration that was read again; they are good, or no
  /// more, from the next request on. How many channels it found there.
  std::size_t allow_tokens(const std::vector<ChannelConfig>& channels);
  /// Takes the tokens and signing keys of its webhooks from such a configuration; each attempt from then on
  /// has them. A webhook whose URL is another there is left as it is, for its secrets are for that URL, and
  /// so is a shadow. How many it took.
  std::size_t take_secrets(const std::vector<ChannelConfig>& channels);

 private:
  struct Impl;
  explicit ChannelSet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
