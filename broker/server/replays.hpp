#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "broker/care/history.hpp"
#include "broker/server/backlog.hpp"

namespace carehub::server {

/// Replays under way, a part at a time and only as fast as each reader takes them. Of the few that go at full
/// speed, the next stretch of the ledger is read and opened on another thread while one is decided on.
class Replays {
 public:
  /// Runs work elsewhere, one piece after the other.
  using Apart = std::function<void(std::function<void()>)>;

  /// `apart` ends before this or the history does; `wake` is called there when advance() has something to
  /// send. Empty: all is read on the caller's thread.
  Replays(const care::History& history, Backlog& backlog, Apart apart = {}, std::function<void()> wake = {})
      : history_(history), backlog_(backlog), apart_(std::move(apart)), wake_(std::move(wake)) {}

  /// A frame that says no when there are too many, else nullopt.
  std::optional<Bytes> start(core::AskReplay ask);

  /// Sends the next part of one replay whose reader has room and whose rate lets something through.
  /// Connections that are gone, or over the backlog's bound, are returned. `sent` is whether there was one.
  std::optional<ConnectionId> advance(Timestamp now, bool& sent);

  void forget(ConnectionId connection);
  bool empty() const { return active_.empty(); }

  static constexpr std::size_t kActiveMax = 32;
  static constexpr std::size_t kPeerActiveMax = 4;
  static constexpr std::size_t kAheadMax = 4;  // each of them holds two stretches in memory

 private:
  /// What is being read ahead; both threads have it.
  struct Coming {
    std::mutex mutex;  // the reader leaves what it has read while the loop looks
    std::optional<care::ReadAhead> read;
  };
  struct Active {
    core::AskReplay ask;
    Sequence next = 0;
    Timestamp taken_until = {};           // by its rate, the time for which it has been sent its share
    Timestamp heard = {};                 // when its reader was last sent something
    care::ReadAhead here = {};            // holds `next`, or is of no use any more
    std::shared_ptr<Coming> coming = {};  // what is behind `here`
  };
  static std::size_t allowed(const Active& replay, Timestamp now);
  static void take(Active& replay, std::size_t deliveries, Timestamp now);
  bool reads_ahead(const Active& replay) const;
  bool is_read(Active& replay);
  void read(Active& replay, Sequence from);

  const care::History& history_;
  Backlog& backlog_;
  Apart apart_;
  std::function<void()> wake_;
  std::list<Active> active_;  // the one that is served next comes first
};

}  // namespace carehub::server
