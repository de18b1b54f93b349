#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"

namespace carehub::adapters {

struct OutboundCounts {
  std::uint64_t received = 0, sent = 0, failed = 0, rejected = 0, unavailable = 0;
};

/// The pipe outwards: hub -> renderer -> sender. A delivery is acked when the partner has it safe, and
/// otherwise answered with what the partner said; when to try again is the hub's decision. What the pack
/// cannot express is rejected.
class OutboundChannel {
 public:
  /// hub outlives the channel. `subscription.name` is the channel's.
  OutboundChannel(client::SubscribeOptions subscription, std::unique_ptr<Renderer> renderer,
                  std::unique_ptr<Sender> sender, client::HubClient& hub);
  ~OutboundChannel();

  const std::string& name() const;
  /// Error as HubClient::subscribe's. A hub that says no later is an alarm in the log.
  Result<void> start();
  /// Stops sending; what has no outcome stays the hub's to deliver again.
  void stop();
  /// What its partner knows it by from the next attempt on.
  void take(const WebhookSecrets& secrets);
  OutboundCounts counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
