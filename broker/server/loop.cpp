#include "broker/server/loop.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <mutex>

#include "broker/base/fault.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/wire_frame.hpp"
#include "broker/core/wire_frames.hpp"
#include "broker/server/log.hpp"

// Long because: one loop owns what is read, decided, written and sent, and says here in which order.

namespace carehub::server {

namespace {

constexpr std::uint32_t kBacklogRetryMs = 1;
constexpr std::int64_t kTouchUs = 250 * kMillisecondUs;
constexpr std::int64_t kFlushUs = kSecondUs;
constexpr std::size_t kSealedApartMin = 16;
constexpr std::int64_t kDrainUs = 10 * kSecondUs;
constexpr std::int64_t kSlowUs = 2 * kSecondUs;        // without a finished batch, and publishers are told
constexpr std::int64_t kSlowAgainUs = 60 * kSecondUs;  // of a time without slowness, before it is told anew
constexpr std::size_t kInboxFramesMax = 4'096;         // kept while nothing may be decided

constexpr std::int64_t us_of(std::uint32_t ms) { return std::int64_t{ms} * kMillisecondUs; }

}  // namespace

/// Where appends report, on whatever thread; outlives the loop while an append is under way.
struct Loop::Completions {
  std::mutex mutex;  // the ledger's thread reports while the loop collects
  std::vector<Result<Sequence>> done;
  Transport* transport = nullptr;  // nullptr once the loop is gone

  void report(Result<Sequence> head) {
    const std::lock_guard lock(mutex);
    done.push_back(std::move(head));
    if (transport != nullptr) transport->wake();
  }
};

Loop::Loop(LoopParts parts)
    : parts_(std::move(parts)),
      backlog_(parts_.transport),
      questions_(
          parts_.history, parts_.ledger, backlog_,
          [this](wire::PageT& page) { add_counts(statistics(), page); },
          [this](const wire::QueryT& query, wire::PageT& page) {
            if (parts_.witnesses != nullptr) parts_.witnesses->complete(query, page);
          }),
      replays_(parts_.history, backlog_, parts_.read_apart, [this] { parts_.transport.wake(); }),
      erasures_(
          parts_.engine, parts_.state, parts_.search, [this] { parts_.transport.wake(); }, parts_.look_apart),
      completions_(std::make_shared<Completions>()),
      durable_(parts_.ledger.head()),
      now_(parts_.clock.now()),
      steady_us_(parts_.clock.steady_us()) {
  completions_->transport = &parts_.transport;
}

Loop::~Loop() {
  const std::lock_guard lock(completions_->mutex);
  completions_->transport = nullptr;
}

/// Runs with the steady clock, so that no timer stands still or fires when the wall's clock is set; half as
/// fast or faster by a half until it has caught up with that one.
Timestamp Loop::tick() {
  const std::int64_t steady_us = parts_.clock.steady_us();
  const std::int64_t passed_us = steady_us - steady_us_;
  steady_us_ = steady_us;
  wall_ = parts_.clock.now();
  const std::int64_t behind_us = wall_.us - (now_.us + passed_us);
  now_.us += passed_us + std::clamp(behind_us, -passed_us / 2, passed_us / 2);
  return now_;
}

bool Loop::may_decide() const {
  return appends_.size() <= limits::kUnsyncedBatchesMax && asking_.size() <= Questions::kWaitingMax &&
         !parts_.state.is_full();
}

/// The disk has not finished anything for too long for publishers to be left without an answer.
bool Loop::is_slow() const { return stalled_ && now_.us - stalled_->us >= kSlowUs; }

bool Loop::may_read() const {
  return may_decide() ||
         (is_slow() && inbox_.size() < kInboxFramesMax && inbox_bytes_ < limits::kBatchBytesMax);
}

void Loop::note_slowness() {
  if (may_decide()) {
    stalled_.reset();
  } else if (!stalled_) {
    stalled_ = now_;
  }
  if (!is_slow()) return;
  if (!slow_ || now_.us - slow_->us > kSlowAgainUs) {
    ++statistics_.alarms;
    log_alarm(
        "ledger_slow",
        "the disk has not finished a write for two seconds: publishers are told to send again later, and "
        "nothing is lost; look at the disk and at what else uses it");
  }
  slow_ = now_;
}

Result<void> Loop::begin(core::Decision started) {
  received_at_ = now_;
  if (durable_ > 0) {
    const auto newest = parts_.ledger.read(durable_, 1, 1);
    if (!newest) return tl::unexpected(newest.error());
    if (!newest->empty()) clock_watch_ = ClockWatch(newest->front().header.appended_at);
  }
  return commit(std::move(started));
}

std::uint32_t Loop::wait_ms(std::uint32_t wait_ms_max) {
  if (may_decide() && (!inbox_.empty() || question_ready_ || replay_ready_ || erasures_.active())) return 0;
  Timestamp until{now_.us + us_of(wait_ms_max)};
  until = std::min(until, Timestamp{touched_.us + kTouchUs});
  if (may_decide()) until = std::min(until, due_);
  if (stalled_ && !is_slow()) until = std::min(until, Timestamp{stalled_->us + kSlowUs});
  if (!backlog_.empty()) until = std::min(until, Timestamp{now_.us + us_of(kBacklogRetryMs)});
  const std::int64_t us = std::max<std::int64_t>(0, until.us - now_.us);
  return static_cast<std::uint32_t>((us + kMillisecondUs - 1) / kMillisecondUs);
}

Result<void> Loop::step(std::uint32_t wait_ms_max) {
  if (failed_) return tl::unexpected(*failed_);
  tick();
  parts_.transport.wait(wait_ms(wait_ms_max), may_read());
  tick();
  const auto run = [this]() -> Result<void> {
    if (auto taken = take_completions(); !taken) return taken;
    for (const ConnectionId connection : backlog_.flush()) disconnect(connection);
    note_slowness();
    if (!may_decide()) {
      if (may_read()) receive_while_slow();
      return {};
    }
    receive();
    core::Decision decision;
    if (auto handled = handle_inbox(decision); !handled) return handled;
    if (auto erased = erasures_.advance(now_, decision); !erased) return erased;
    if (auto ended = questions_.end_reports(parts_.engine, now_, decision); !ended) return ended;
    if (parts_.backups != nullptr) {
      if (auto told = parts_.backups->advance(now_, decision); !told) return told;
    }
    auto due = parts_.engine.advance(now_, decision);
    if (!due) return tl::unexpected(due.error());
    due_ = *due;
    if (parts_.witnesses != nullptr) parts_.witnesses->watch(durable_, now_, decision);
    if (auto noted = note_strangers(); !noted) return noted;
    clock_watch_.look(wall_, now_, parts_.state.head(), decision);
    return commit(std::move(decision));
  };
  if (auto ran = run(); !ran) {
    failed_ = ran.error();
    return ran;
  }
  // What a MemoryLedger has finished at once leaves in this step, too.
  if (auto taken = take_completions(); !taken) {
    failed_ = taken.error();
    return taken;
  }
  note_slowness();
  if (const auto lost = questions_.advance(question_ready_)) disconnect(*lost);
  if (const auto lost = replays_.advance(now_, replay_ready_)) disconnect(*lost);
  keep_in_touch();
  return {};
}

Result<void> Loop::take_completions() {
  std::vector<Result<Sequence>> done;
  {
    const std::lock_guard lock(completions_->mutex);
    done.swap(completions_->done);
  }
  if (!done.empty()) stalled_.reset();
  for (const auto& head : done) {
    if (!head) return tl::unexpected(head.error());
    ++statistics_.batches;
    durable_ = *head;
    for (; !appends_.empty() && appends_.front().head <= durable_; appends_.pop_front()) {
      statistics_.sync.add(tick().us - appends_.front().at.us);
    }
  }
  if (auto folded = parts_.state.durable(durable_); !folded) return folded;
  release();
  return keep_state_written();
}

/// Rows go to the store when many have gathered, a second has passed, or somebody asks about the past.
Result<void> Loop::keep_state_written() {
  const bool asked = !asking_.empty() && asking_.front().needs > parts_.state.written();
  if (asked || now_.us - flushed_.us >= kFlushUs) {
    flushed_ = now_;
    if (auto flushed = parts_.state.flush(); !flushed) return flushed;
  }
  while (!asking_.empty() && asking_.front().needs <= parts_.state.written()) {
    answer(asking_.front().decision);
    asking_.pop_front();
  }
  return {};
}

void Loop::receive() {
  if (!inbox_.empty()) return;
  std::vector<Received> received;
  parts_.transport.receive(received, limits::kDrainFramesMax, limits::kBatchBytesMax);
  inbox_drained_ = received.size() < limits::kDrainFramesMax;
  received_at_ = tick();
  for (Received& each : received) {
    if (!each.gone) peers_.heard(each.connection, now_);
    keep(std::move(each));
  }
}

void Loop::keep(Received received) {
  inbox_bytes_ += received.bytes.size();
  inbox_.push_back(std::move(received));
}

/// What can be said without a decision is said; the rest waits for one, in order.
void Loop::receive_while_slow() {
  std::vector<Received> received;
  parts_.transport.receive(received, limits::kDrainFramesMax, limits::kBatchBytesMax);
  inbox_drained_ = received.size() < limits::kDrainFramesMax;
  for (Received& each : received) {
    if (!each.gone) peers_.heard(each.connection, now_);
    if (!is_answered_at_once(each)) keep(std::move(each));
  }
}

bool Loop::is_answered_at_once(const Received& received) {
  if (received.gone || peers_.find(received.connection) == nullptr) return false;
  const wire::Frame* frame = verified_frame(received.bytes);
  if (frame == nullptr || frame->major() != kWireMajor || frame->minor() > kWireMinor) return false;
  if (frame->message_type() == wire::Message::Publish) {
    auto told = pushback_.answer(received.connection, *frame->message_as_Publish(), true, now_);
    if (!told) return false;
    send(received.connection, std::move(*told));
  } else if (frame->message_type() != wire::Message::Heartbeat) {
    return false;
  }
  ++statistics_.frames_received;
  return true;
}

Result<void> Loop::handle_inbox(core::Decision& out) {
  while (!inbox_.empty()) {
    // One more frame has to fit, with what it brings about.
    const auto size = parts_.state.batch_size();
    if (size.entries >= limits::kBatchEntriesMax / 2 || size.bytes >= limits::kBatchBytesMax / 2) return {};
    const Received received = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_bytes_ -= received.bytes.size();
    if (auto handled = handle(received, out); !handled) return handled;
  }
  return {};
}

Result<void> Loop::handle(const Received& received, core::Decision& out) {
  if (received.gone) {
    if (peers_.find(received.connection) != nullptr) ++statistics_.connections_lost;
    disconnect(received.connection);
    return {};
  }
  ++statistics_.frames_received;
  const wire::Frame* frame = verified_frame(received.bytes);
  if (frame == nullptr) {
    refuse(received.connection, ErrorKind::invalid, "this is not a frame of the hub's protocol", true);
    return {};
  }
  if (frame->major() != kWireMajor || frame->minor() > kWireMinor) {
    refuse(received.connection, ErrorKind::invalid,
           "this hub speaks version 1.0 of the protocol; use that one", true);
    return {};
  }
  const wire::Message verb = frame->message_type();
  if (verb == wire::Message::Hello) return take_hello(received, *frame->message_as_Hello(), out);
  const core::Peer* peer = peers_.find(received.connection);
  if (peer == nullptr) {
    refuse(received.connection, ErrorKind::unavailable, "say Hello first, on a new connection", true);
    return {};
  }
  switch (verb) {
    case wire::Message::Heartbeat: return {};
    case wire::Message::Cosign: take_cosignature(received.connection, *frame->message_as_Cosign()); return {};
    case wire::Message::Goodbye: disconnect(received.connection, core::Parting::goodbye); return {};
    case wire::Message::Publish:
      if (auto told = pushback_.answer(received.connection, *frame->message_as_Publish(), false, now_)) {
        send(received.connection, std::move(*told));
        return {};
      }
      return decide(*peer, *frame, out);
    case wire::Message::Subscribe:
    case wire::Message::Unsubscribe:
    case wire::Message::Credit:
    case wire::Message::Ack:
    case wire::Message::Nak:
    case wire::Message::Query:
    case wire::Message::Replay:
    case wire::Message::HandleDeadLetter:
    case wire::Message::Erase:
    case wire::Message::Backup:
    case wire::Message::ChangePolicy:
    case wire::Message::MarkChild:
    case wire::Message::BreakGlass:
    case wire::Message::TellDoor:
    case wire::Message::HandleSubscription: return decide(*peer, *frame, out);
    default:
      refuse(received.connection, ErrorKind::invalid, "this hub does not know that verb", false);
      return {};
  }
}

/// A frame that the engine rejects counts as refused, too.
Result<void> Loop::decide(const core::Peer& peer, const wire::Frame& frame, core::Decision& out) {
  const std::size_t before = out.sends.size();
  auto handled = parts_.engine.handle(peer, frame, now_, out);
  for (std::size_t at = before; at < out.sends.size(); ++at) {
    const auto verb = wire::GetFrame(out.sends[at].frame.data())->message_type();
    if (verb == wire::Message::Rejected && out.sends[at].to == peer.connection) ++statistics_.frames_refused;
  }
  return handled;
}

Result<void> Loop::take_hello(const Received& received, const wire::Hello& hello, core::Decision& out) {
  if (auto greeted = peers_.greet(received, hello, now_); !greeted) {
    refuse(received.connection, greeted.error().kind, greeted.error().text, true);
    return {};
  }
  if (hello.last_receipt() > durable_) {
    const std::string text = "this ledger ends at " + std::to_string(durable_) + ", but a client" +
                             (received.agency.empty() ? "" : " of " + received.agency) +
                             " holds the receipt of entry " + std::to_string(hello.last_receipt()) + ": ";
    // Who comes from elsewhere may say what is not so, and must not stop the hub for everybody.
    if (!received.is_local) {
      out.alarms.push_back(
          {"receipt_unknown", text +
                                  "entries are missing, or the client is wrong. Restore the newest copy of " +
                                  "the ledger, or have the client started anew"});
      refuse(received.connection, ErrorKind::corrupt,
             "Hello: last_receipt is of an entry that this hub does not hold; its operator has been told",
             true);
      return {};
    }
    return fail(ErrorKind::corrupt, text + "entries are missing. Restore the newest copy of the ledger");
  }
  wire::WelcomeT welcome;
  welcome.hub = parts_.hub_name;
  welcome.head = durable_;
  welcome.heartbeat_ms = limits::kHeartbeatMs;
  welcome.publish_bytes_max = limits::kPublishBytesMax;
  welcome.in_flight_max = limits::kClientPublishQueueMax;
  send(received.connection, frame_bytes(std::move(welcome)));
  return {};
}

/// Nothing of it is in the ledger, so its answer waits for no sync.
void Loop::take_cosignature(ConnectionId connection, const wire::Cosign& frame) {
  if (parts_.witnesses != nullptr) {
    send(connection, frame_bytes(parts_.witnesses->take(frame, now_)));
  } else {
    refuse(connection, ErrorKind::invalid, "this hub takes no cosignatures", false);
  }
}

void Loop::refuse(ConnectionId connection, ErrorKind kind, const std::string& text, bool closing) {
  ++statistics_.frames_refused;
  send(connection, core::rejected_frame(kind, text, closing));
  if (closing) disconnect(connection);
}

Result<void> Loop::commit(core::Decision decision) {
  for (const core::Alarm& alarm : decision.alarms) {
    ++statistics_.alarms;
    log_alarm(alarm.code, alarm.text);
  }
  auto drafted = parts_.state.take_batch();
  if (!drafted.empty()) append(std::move(drafted));
  const bool leaves = !decision.sends.empty() || !decision.backups.empty() || waits_for_state(decision);
  const Sequence needs = kFault == Fault::sends_before_sync ? 0 : parts_.state.head();
  if (leaves) held_.push_back({needs, received_at_, std::move(decision)});
  release();
  return {};
}

/// A large batch is sealed elsewhere while this thread decides on; a small one is not worth the way there.
void Loop::append(std::vector<care::State::Drafted> drafted) {
  statistics_.entries += drafted.size();
  appends_.push_back({drafted.back().sequence, now_});
  if (!parts_.seal_apart || (sealing_ == 0 && drafted.size() < kSealedApartMin)) {
    seal(drafted);
    return;
  }
  ++sealing_;
  parts_.seal_apart([this, batch = std::move(drafted)] {
    seal(batch);
    --sealing_;
  });
}

/// Seals and appends as one batch, however large: a crash must not keep an event without who is shown it. On
/// either thread, never on both.
void Loop::seal(const std::vector<care::State::Drafted>& drafted) {
  std::vector<storage::SealedEntry> batch;
  batch.reserve(drafted.size());
  parts_.sealer.begin_batch();
  for (const care::State::Drafted& each : drafted) {
    auto sealed =
        parts_.sealer.seal(each.entry.kind, each.entry.key_id, each.sequence, each.at, each.entry.body);
    if (!sealed) {
      completions_->report(tl::unexpected(sealed.error()));
      return;
    }
    batch.push_back(std::move(*sealed));
  }
  parts_.ledger.append(std::move(batch),
                       [to = completions_](Result<Sequence> done) { to->report(std::move(done)); });
}

void Loop::release() {
  while (!held_.empty() && held_.front().needs <= durable_) {
    statistics_.frame_to_release.add(tick().us - held_.front().received.us);
    Held held = std::move(held_.front());
    held_.pop_front();
    let_go(held.decision);
    if (waits_for_state(held.decision)) asking_.push_back(std::move(held));
  }
}

void Loop::let_go(core::Decision& decision) {
  // What waits for a slow reader was opened before this Erasure was on record: what is left of it comes
  // again.
  if (!decision.destructions.empty()) {
    for (const ConnectionId slow : backlog_.connections()) disconnect(slow, core::Parting::goodbye);
  }
  for (const auto& policy : decision.policies) {
    if (parts_.use_policy) parts_.use_policy(*policy);
  }
  for (core::Send& each : decision.sends) send(each.to, std::move(each.frame));
  for (core::AskBackup& ask : decision.backups) {
    const ConnectionId connection = ask.peer.connection;
    auto refused = parts_.backups != nullptr
                       ? parts_.backups->start(std::move(ask), now_)
                       : core::backup_failed_frame(ask.backup.number, ErrorKind::unavailable,
                                                   "nothing is backed up here");
    if (refused) send(connection, std::move(*refused));
  }
}

void Loop::answer(core::Decision& decision) {
  for (core::Ask& ask : decision.asks) {
    if (peers_.find(ask.peer.connection) == nullptr) continue;
    const ConnectionId connection = ask.peer.connection;
    if (auto refused = questions_.add(std::move(ask))) send(connection, std::move(*refused));
    question_ready_ = true;
  }
  for (core::AskReplay& ask : decision.replays) {
    if (peers_.find(ask.peer.connection) == nullptr) continue;
    const ConnectionId connection = ask.peer.connection;
    if (auto refused = replays_.start(std::move(ask))) send(connection, std::move(*refused));
    replay_ready_ = true;
  }
  for (core::AskErasure& ask : decision.erasures) {
    if (peers_.find(ask.peer.connection) == nullptr) continue;
    const ConnectionId connection = ask.peer.connection;
    if (auto refused = erasures_.start(std::move(ask))) send(connection, std::move(*refused));
  }
  for (core::Destruction& each : decision.destructions) {
    const ConnectionId connection = each.peer.connection;
    if (auto failed = erasures_.destroy(std::move(each), now_)) send(connection, std::move(*failed));
  }
}

/// Questions are answered from the state as of their entry; and it is written without a person's rows before
/// their keys go, so that no crash leaves it with rows that nobody could find any more.
bool Loop::waits_for_state(const core::Decision& decision) {
  return !decision.asks.empty() || !decision.replays.empty() || !decision.erasures.empty() ||
         !decision.destructions.empty();
}

void Loop::send(ConnectionId connection, Bytes frame) {
  peers_.said(connection, now_);
  if (backlog_.send(connection, std::move(frame)) == Backlog::Outcome::taken) return;
  if (peers_.find(connection) == nullptr) return;
  ++statistics_.connections_lost;
  disconnect(connection);
}

void Loop::disconnect(ConnectionId connection, core::Parting parting) {
  parts_.transport.close(connection);
  backlog_.forget(connection);
  questions_.forget(connection);
  replays_.forget(connection);
  erasures_.forget(connection);
  pushback_.forget(connection);
  if (peers_.find(connection) == nullptr) return;
  peers_.forget(connection);
  parts_.engine.disconnected(connection, now_, parting);
}

Result<void> Loop::note_strangers() {
  if (!parts_.count_network || now_.us - touched_.us < kTouchUs) return {};
  parts_.count_network(statistics_);
  return parts_.engine.note_strangers({statistics_.keys_refused, statistics_.frames_unaddressed}, now_);
}

void Loop::keep_in_touch() {
  erasures_.try_again(now_);
  if (now_.us - touched_.us < kTouchUs) return;
  touched_ = now_;
  for (const ConnectionId connection : peers_.unspoken({now_.us - us_of(limits::kHeartbeatMs)})) {
    wire::HeartbeatT heartbeat;
    heartbeat.at = now_.us;
    send(connection, frame_bytes(heartbeat));
  }
  // Silence counts only when everything that had come in was read.
  if (!inbox_.empty() || !inbox_drained_ || !may_decide()) return;
  for (const ConnectionId connection : peers_.silent({now_.us - us_of(limits::kPeerSilenceMs)})) {
    ++statistics_.connections_lost;
    disconnect(connection);
  }
}

Result<void> Loop::drain() {
  if (failed_) return tl::unexpected(*failed_);
  const Timestamp until{tick().us + kDrainUs};
  const auto unwritten = [this] { return parts_.state.written() < parts_.state.head(); };
  while (!appends_.empty() || !backlog_.empty() || unwritten()) {
    if (tick() > until) {
      if (!appends_.empty())
        return fail(ErrorKind::unavailable, "the ledger's disk did not finish within ten seconds");
      // The ledger has it all: the next start folds what the store lacks.
      if (unwritten()) log_notice("state-late", "the state store did not finish within ten seconds");
      for (const ConnectionId connection : backlog_.connections()) disconnect(connection);
      break;
    }
    parts_.transport.wait(kBacklogRetryMs, false);
    auto taken = parts_.state.flush();
    if (taken) taken = take_completions();
    if (!taken) {
      failed_ = taken.error();
      return taken;
    }
    for (const ConnectionId connection : backlog_.flush()) disconnect(connection);
  }
  for (const ConnectionId connection : peers_.all()) {
    wire::GoodbyeT goodbye;
    goodbye.text = "the hub is stopping";
    send(connection, frame_bytes(std::move(goodbye)));
  }
  failed_ = Error{ErrorKind::unavailable, "the hub has been stopped"};
  return {};
}

const Statistics& Loop::statistics() {
  statistics_.engine = parts_.engine.counters();
  statistics_.connections = peers_.count();
  statistics_.sends_held_back = backlog_.frames();
  statistics_.head = durable_;
  statistics_.publications_overloaded = pushback_.items();
  if (parts_.witnesses != nullptr) parts_.witnesses->count(statistics_, now_);
  if (parts_.count_network) parts_.count_network(statistics_);
  return statistics_;
}

}  // namespace carehub::server
