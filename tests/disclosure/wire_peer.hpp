#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "broker/base/wire_frame.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::disclosure {

/// A frame as it came, and what it says.
struct Arrived {
  Bytes bytes;
  wire::FrameT frame;

  template <class Table>
  const Table* as() const {
    return frame.message.type == wire::MessageUnionTraits<Table>::enum_value
               ? reinterpret_cast<const Table*>(frame.message.value)
               : nullptr;
  }
};

/// A client that keeps every byte which the hub sends it. It asks one thing at a time, and acks what is
/// delivered. For one thread.
class WirePeer {
 public:
  /// Connects and says Hello; throws where the hub does not welcome it.
  explicit WirePeer(const client::ClientOptions& options);
  ~WirePeer();
  WirePeer(WirePeer&& other) noexcept;
  WirePeer& operator=(WirePeer&&) = delete;

  template <class Message>
  void send(Message message) {
    send_bytes(frame_bytes(std::move(message)));
  }
  /// The next frame that is neither a heartbeat nor a delivery; throws after two minutes without one.
  Arrived answer();
  /// All that has been delivered since the last call.
  std::deque<Arrived> take_deliveries();
  /// Reads what is there, so that the hub hears of this peer.
  void read() { read_for(0); }

 private:
  struct Sockets;
  void send_bytes(const Bytes& bytes);
  void read_for(long wait_ms);
  void take(Bytes bytes);

  std::unique_ptr<Sockets> sockets_;
  std::deque<Arrived> answers_;
  std::deque<Arrived> deliveries_;
};

}  // namespace carehub::disclosure
