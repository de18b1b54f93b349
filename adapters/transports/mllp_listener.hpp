#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/channel/pipe.hpp"
#include "adapters/transports/io_thread.hpp"
#include "adapters/transports/tls_server.hpp"

namespace carehub::adapters {

struct MllpListenerOptions {
  std::string channel = {};  // for messages
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  std::size_t connections_max = limits::kMllpConnectionsMax;
  std::size_t in_flight_max = limits::kMllpInFlightMax;
  std::size_t frame_bytes_max = limits::kMllpFrameBytesMax;
  std::size_t in_flight_bytes_max = 2 * limits::kMllpFrameBytesMax;  // of one connection
  std::size_t memory_bytes_max = 256U << 20U;     // of all connections: above it, nothing new is read
  std::uint32_t frame_ms = limits::kMllpFrameMs;  // to read a frame that has begun, or to write answers
  std::uint32_t stop_ms = 5'000;                  // for messages under way
  std::optional<TlsOptions> tls = {};             // without: bytes are plain
};

struct MllpCounts {
  std::uint64_t connections = 0, turned_away = 0, made_room = 0, messages = 0, stray_bytes = 0,
                half_frames = 0, oversize = 0, too_slow = 0, tried_again = 0, unanswered = 0;
};

/// HL7 over MLLP (HL7 MLLP release 1): many connections, several messages in flight on each, answers in the
/// order of the messages. When there are as many as there may be, the one that has been silent for longest
/// makes room for the next; only where none is silent is that one turned away. While the hub is busy the
/// connection is not read and the message is handed over again; at stop() what has no answer stays
/// unanswered, so that the sender keeps it. Answers may come from any thread.
class MllpListener final : public InboundTransport {
 public:
  MllpListener(IoThread& io, MllpListenerOptions options);
  ~MllpListener() override;

  /// Error `unavailable`: the port is taken or not permitted. `invalid`: the files of TLS cannot be used.
  Result<void> start(Receive receive) override;
  /// Stops reading, waits up to stop_ms for answers under way, closes. Not from the IoThread.
  void stop() override;

  std::uint16_t port() const;  // the one that is listened on, after start()
  MllpCounts counts() const;
  TurnedAwayCounts turned_away() const override;
  TlsCounts tls_counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
