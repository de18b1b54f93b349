#pragma once

#include <string>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::server {

/// One frame as it came in, or the news that a connection is gone.
struct Received {
  ConnectionId connection = 0;
  bool gone = false;      // nothing more will come; `bytes` is empty
  bool is_local = false;  // inproc or ipc: the operating system guards it, and the Hello's agency is believed
  std::string agency;     // as authenticated by key; empty for an operator's key, and where is_local
  std::string client;
  Bytes bytes;  // 8-byte aligned
};

/// What the loop sees of the network. Implementations: ZmqTransport, and a simulated one in tests.
class Transport {
 public:
  enum class Sent : std::uint8_t {
    sent,
    full,  // the peer does not read; nothing was taken
    gone,  // the connection is not there any more
  };

  virtual ~Transport() = default;

  /// Blocks until wake() is called, `timeout_ms` passed, or, where `for_frames`, something can be received.
  virtual void wait(std::uint32_t timeout_ms, bool for_frames) = 0;

  /// Ends the wait under way, or the next one. The only function that any thread may call.
  virtual void wake() = 0;

  /// Appends what is there, in order for each connection, until `frames_max` or `bytes_max` is reached.
  virtual void receive(std::vector<Received>& out, std::size_t frames_max, std::size_t bytes_max) = 0;

  /// Never blocks.
  virtual Sent send(ConnectionId connection, BytesView frame) = 0;

  /// Forgets a connection. What it sends later arrives under a new ConnectionId.
  virtual void close(ConnectionId connection) = 0;
};

}  // namespace carehub::server
