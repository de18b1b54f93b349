#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/transports/mllp_frames.hpp"
#include "adapters/transports/mllp_listener.hpp"
#include "adapters/transports/peer_log.hpp"
#include "adapters/transports/peer_stream.hpp"

namespace carehub::adapters {

/// What the connections of one listener share.
struct MllpService {
  MllpListenerOptions options;
  Receive receive;
  std::shared_ptr<TlsServer> tls = {};  // nullptr: bytes are plain
  MllpCounts counts;
  PeerLog log;
  // Of frames and messages in memory. Atomic: an answer from another thread may be a connection's last.
  std::atomic<std::size_t> held_bytes{0};

  void warn(const std::string& peer, const char* what) { log.warn(options.channel, peer, what); }
};

/// One MLLP connection: a coroutine that reads and hands over, one that writes the answers in order, and one
/// that asks a busy hub again. Runs on the IoThread only; lives while a coroutine holds it. An answer that
/// comes later finds it gone.
class MllpConnection : public std::enable_shared_from_this<MllpConnection> {
 public:
  using Clock = std::chrono::steady_clock;

  MllpConnection(PeerStream::Socket socket, std::shared_ptr<MllpService> service);
  ~MllpConnection();
  MllpConnection(const MllpConnection&) = delete;
  MllpConnection& operator=(const MllpConnection&) = delete;

  void start();
  /// Reads no more, and closes once the messages under way are answered.
  void finish();
  void close();
  /// Closes when a read or a write has passed its time.
  void check(Clock::time_point now);
  bool open() const { return stream_.socket().is_open(); }
  /// Since when nothing has been under way here; nullopt while something is.
  std::optional<Clock::time_point> idle_since() const;
  /// Closes for another connection to come in.
  void make_room();

 private:
  struct Exchange {
    Bytes message;  // kept until it is answered, since a busy hub is asked again
    enum class State : std::uint8_t { waiting, busy, answered } state = State::waiting;
    std::vector<Bytes> answers;
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> read();
  boost::asio::awaitable<bool> room();
  boost::asio::awaitable<bool> read_some();
  boost::asio::awaitable<void> take(Bytes message);
  boost::asio::awaitable<void> ask_again();
  boost::asio::awaitable<void> write();
  void hand_over(const ExchangePtr& exchange);
  void replied(const ExchangePtr& exchange, TransportReply reply);
  Bytes answers_in_order();
  void account();
  bool any(Exchange::State state) const;
  bool full(std::size_t message_bytes) const;
  bool finished() const;
  void wake();

  std::shared_ptr<MllpService> service_;
  PeerStream stream_;
  std::string peer_;
  MllpFrames frames_;
  Bytes buffer_;
  BytesView unread_;
  std::deque<ExchangePtr> exchanges_;  // oldest first; the front is the next to be answered
  std::size_t in_flight_bytes_ = 0;
  std::size_t held_bytes_ = 0;  // our part of what the service holds
  bool reading_ = true;
  bool finishing_ = false;
  bool asking_again_ = false;
  boost::asio::steady_timer
      changed_;  // never expires; cancelled to wake the coroutines that wait for a change
  Clock::time_point idle_since_;
  Clock::duration frame_time_left_{};
  Clock::time_point read_deadline_ = Clock::time_point::max();
  Clock::time_point write_deadline_ = Clock::time_point::max();
};

}  // namespace carehub::adapters
