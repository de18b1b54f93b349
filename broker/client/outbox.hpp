#pragma once

#include <deque>
#include <optional>
#include <set>

#include "broker/client/hub_client.hpp"

namespace carehub::client {

/// A publication as it travels, kept until its outcome is known.
struct Outgoing {
  Publication publication;  // original already compressed as original_codec says
  std::uint8_t original_codec = 0;
  std::size_t bytes = 0;  // about what it takes on the wire
  std::function<void(PublishResult)> done;
};

/// Checks bounds and the event's form, and compresses the original. Thread-safe.
/// Error `invalid` names what is wrong: one bad item would spoil the frame that it shares with others.
Result<Outgoing> outgoing(Publication publication, std::function<void(PublishResult)> done);

/// Publications without an outcome, in order of submission. After a loss all are sent again, in the same
/// order and with the same content and number. For one thread.
class Outbox {
 public:
  /// What the hub's Welcome allows.
  struct Window {
    std::size_t in_flight_max = 0;
    std::size_t frame_bytes_max = 0;
  };

  void add(Outgoing item);

  /// The next Publish frame, or nullopt when there is nothing to send within the window, or not yet.
  std::optional<Bytes> next_frame(const Window& window, std::int64_t now_ms);

  /// Takes an outcome. The finished item is handed back, for its `done`; nullopt when it is unknown, had one
  /// already, or is to be sent again because the hub could not take it now.
  struct Finished {
    Outgoing item;
    PublishResult result;
  };
  std::optional<Finished> outcome(const wire::PublishOutcome& outcome, std::int64_t now_ms);

  /// The connection is gone: nothing is in flight any more.
  void rewind();

  /// Everything that has no outcome, removed.
  std::vector<Outgoing> take_all();

  /// When something that waits may be sent; nullopt when nothing waits for time.
  std::optional<std::int64_t> retry_at_ms() const;

 private:
  struct Slot {
    std::optional<Outgoing> item;  // empty once it has its outcome
    bool in_flight = false;
  };
  Slot* slot(std::uint64_t number);

  std::deque<Slot> slots_;
  std::uint64_t first_ = 1;  // number of slots_.front()
  std::uint64_t next_ = 1;   // not sent on this connection yet
  std::set<std::uint64_t> again_;
  std::size_t in_flight_ = 0;
  std::int64_t retry_at_ms_ = 0;
  std::uint32_t backoff_ms_ = 0;
};

}  // namespace carehub::client
