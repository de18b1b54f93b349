#pragma once

#include <deque>
#include <unordered_map>

#include "broker/server/transport.hpp"

namespace carehub::server {

/// Frames for peers that do not take them this very moment, in order and bounded. A burst passes through it;
/// a peer that does not read ends up over the bound and is to be disconnected: its deliveries are pending
/// again.
class Backlog {
 public:
  enum class Outcome : std::uint8_t { taken, over, gone };

  explicit Backlog(Transport& transport) : transport_(transport) {}

  Outcome send(ConnectionId connection, Bytes frame);

  /// Tries again what waits. Connections that turn out to be gone are returned.
  std::vector<ConnectionId> flush();

  bool holds(ConnectionId connection) const { return waiting_.contains(connection); }
  bool empty() const { return waiting_.empty(); }
  /// Those whose frames wait.
  std::vector<ConnectionId> connections() const;
  std::size_t frames() const { return frames_; }
  void forget(ConnectionId connection);

  static constexpr std::size_t kPeerBytesMax = 16U << 20U;
  static constexpr std::size_t kBytesMax = 256U << 20U;

 private:
  struct Queue {
    std::deque<Bytes> frames;
    std::size_t bytes = 0;
  };

  Transport& transport_;
  std::unordered_map<ConnectionId, Queue> waiting_;  // no empty queues
  std::size_t bytes_ = 0;
  std::size_t frames_ = 0;
};

}  // namespace carehub::server
