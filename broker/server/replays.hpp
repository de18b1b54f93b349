#pragma once

#include <list>
#include <optional>

#include "broker/care/history.hpp"
#include "broker/server/backlog.hpp"

namespace carehub::server {

/// Replays under way, a part at a time and only as fast as each reader takes them.
class Replays {
 public:
  Replays(const care::History& history, Backlog& backlog) : history_(history), backlog_(backlog) {}

  /// A frame that says no when there are too many, else nullopt.
  std::optional<Bytes> start(core::AskReplay ask);

  /// Sends the next part of one replay whose reader has room and whose rate lets something through.
  /// Connections that are gone, or over the backlog's bound, are returned. `sent` is whether there was one.
  std::optional<ConnectionId> advance(Timestamp now, bool& sent);

  void forget(ConnectionId connection);
  bool empty() const { return active_.empty(); }

  static constexpr std::size_t kActiveMax = 32;
  static constexpr std::size_t kPeerActiveMax = 4;

 private:
  struct Active {
    core::AskReplay ask;
    Sequence next = 0;
    Timestamp taken_until = {};  // by its rate, the time for which it has been sent its share
    Timestamp heard = {};        // when its reader was last sent something
  };
  static std::size_t allowed(const Active& replay, Timestamp now);
  static void take(Active& replay, std::size_t deliveries, Timestamp now);

  const care::History& history_;
  Backlog& backlog_;
  std::list<Active> active_;  // the one that is served next comes first
};

}  // namespace carehub::server
