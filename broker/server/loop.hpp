#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "broker/care/history.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"
#include "broker/server/backlog.hpp"
#include "broker/server/backups.hpp"
#include "broker/server/clock_watch.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/metrics.hpp"
#include "broker/server/peers.hpp"
#include "broker/server/pushback.hpp"
#include "broker/server/questions.hpp"
#include "broker/server/replays.hpp"
#include "broker/server/transport.hpp"
#include "broker/server/witnesses.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"

namespace carehub::server {

/// What the loop works with; all of it outlives the loop. The ledger may call back until it is closed, so
/// close it before the transport goes.
struct LoopParts {
  Transport& transport;
  core::Engine& engine;
  care::State& state;
  const care::History& history;
  storage::Ledger& ledger;
  storage::Sealer& sealer;
  const Clock& clock;
  std::string hub_name;
  /// Runs one piece of work after the other on a thread of its own, where batches are sealed; goes before the
  /// loop does. Empty: sealed on the loop's own.
  std::function<void(std::function<void()>)> seal_apart = {};
  /// Fills in what the network has counted. Empty: nothing.
  std::function<void(Statistics&)> count_network = {};
  /// Begins a search for all that is about one person. Empty: nothing is erased here.
  Erasures::Search search = {};
  /// Makes backups; stopped before the ledger is closed. nullptr: nothing is backed up here.
  Backups* backups = nullptr;
  /// Takes what witnesses hand in. nullptr: nothing is taken here.
  Witnesses* witnesses = nullptr;
  /// Runs the look for older copies of the vault; what has not run goes before the loop does. Empty: on a
  /// thread of the loop's own.
  Erasures::Apart look_apart = {};
  /// Reads ahead for replays; what has not run goes before the loop does. Empty: on the loop's own.
  Replays::Apart read_apart = {};
  /// Has the history answer by this policy from now on. Empty: it never changes.
  std::function<void(const core::Policy&)> use_policy = {};
};

/// Drain, decide, append one batch with one sync, send (decisions 3 and 4). Nothing leaves before all that
/// was appended before it is durable. While one batch syncs the next is decided, and no more is taken in than
/// that. When the disk has not finished for two seconds, publishers are told `overloaded` at once, and a
/// bounded part of what others say is kept, in order. For one thread.
class Loop {
 public:
  explicit Loop(LoopParts parts);
  ~Loop();

  /// Appends what the engine's start has decided. Call it once, first.
  Result<void> begin(core::Decision started);

  /// Waits at most `wait_ms_max` for something to do, and does it. An error is final: an append failed, the
  /// state could not be read, or a client on this machine holds a receipt that this ledger lacks. Nothing
  /// leaves any more, then.
  Result<void> step(std::uint32_t wait_ms_max);

  /// Takes nothing more in, waits until what was taken in is durable and sent, and says Goodbye. Peers that
  /// have not read theirs within ten seconds are let go, and a state store that has not finished is told of.
  /// Error `unavailable`: the ledger's disk did not finish.
  Result<void> drain();

  /// Counts as of now.
  const Statistics& statistics();

 private:
  struct Completions;
  struct Append {
    Sequence head = 0;
    Timestamp at;
  };
  struct Held {
    Sequence needs = 0;  // leaves when the ledger holds this
    Timestamp received;
    core::Decision decision;
  };

  Timestamp tick();
  bool may_decide() const;
  bool is_slow() const;
  bool may_read() const;
  void note_slowness();
  std::uint32_t wait_ms(std::uint32_t wait_ms_max);
  Result<void> take_completions();
  Result<void> keep_state_written();
  void receive();
  void receive_while_slow();
  bool is_answered_at_once(const Received& received);
  void keep(Received received);
  Result<void> handle_inbox(core::Decision& out);
  Result<void> handle(const Received& received, core::Decision& out);
  Result<void> decide(const core::Peer& peer, const wire::Frame& frame, core::Decision& out);
  Result<void> take_hello(const Received& received, const wire::Hello& hello, core::Decision& out);
  void take_cosignature(ConnectionId connection, const wire::Cosign& frame);
  void refuse(ConnectionId connection, ErrorKind kind, const std::string& text, bool closing);
  Result<void> commit(core::Decision decision);
  void append(std::vector<care::State::Drafted> drafted);
  void seal(const std::vector<care::State::Drafted>& drafted);
  void release();
  static bool waits_for_state(const core::Decision& decision);
  void let_go(core::Decision& decision);
  void answer(core::Decision& decision);
  void send(ConnectionId connection, Bytes frame);
  void disconnect(ConnectionId connection, core::Parting parting = core::Parting::lost);
  Result<void> note_strangers();
  void keep_in_touch();

  LoopParts parts_;
  Peers peers_;
  Backlog backlog_;
  Questions questions_;
  Replays replays_;
  Erasures erasures_;
  Pushback pushback_;
  ClockWatch clock_watch_;
  std::shared_ptr<Completions> completions_;

  std::deque<Received> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool inbox_drained_ = true;  // the transport had no more when it was last asked
  std::deque<Append> appends_;
  std::atomic<std::size_t> sealing_ = 0;  // batches that another thread seals
  std::deque<Held> held_;
  std::deque<Held> asking_;  // answers to these need the state as of their entry
  Sequence durable_ = 0;
  Timestamp now_;
  Timestamp wall_;              // what this machine's clock said at now_
  std::int64_t steady_us_ = 0;  // at now_
  Timestamp received_at_;
  Timestamp due_;
  Timestamp touched_;
  Timestamp flushed_;
  std::optional<Timestamp> stalled_;  // since when nothing may be decided, and no batch has been finished
  std::optional<Timestamp> slow_;     // when the disk was last slow
  std::optional<Error> failed_;
  bool question_ready_ = false;
  bool replay_ready_ = false;
  Statistics statistics_;
};

}  // namespace carehub::server
