#include "broker/core/delivery.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kLoadRows = 1024;
constexpr int kLoadsOfOneStep = 8;
constexpr std::size_t kStepBytesMax = 2 * limits::kDeliverBytesMax;

Waiting waiting_from_disk(const Pending& pending) {
  Waiting waiting;
  waiting.pending = pending;
  waiting.left = pending.nacked;
  if (kFault == Fault::loses_attempts_at_start) waiting.pending.attempt = 1;
  return waiting;
}

}  // namespace

Delivery::Delivery(Subscription subscription, std::string label, const DeliveryContext& context)
    : subscription_(std::move(subscription)),
      name_hash_(hash_of_name(subscription_.name)),
      label_(std::move(label)),
      context_(context),
      breaker_(subscription_.retry, context.random),
      waiting_alarm_(subscription_.durable && subscription_.configured),
      on_disk_(subscription_.durable) {}

void Delivery::offer(const Pending& pending, std::shared_ptr<const View> view,
                     const std::string& legal_basis) {
  records_.offered(pending, pending.attempt, legal_basis);
  waiting_alarm_.offered();
  ++context_.counters.offered;
  ++open_;
  if (watch()) {
    if (children_.held() + in_flight_.size() >= limits::kWindowMax) {
      overflowed_ = true;
      return;
    }
  } else if (!connection_ || on_disk_ || children_.held() >= limits::kWindowMax) {
    on_disk_ = true;
    return;
  }
  loaded_through_ = std::max(loaded_through_, pending.sequence);
  if (context_.disclosure.held_bytes() > limits::kViewCacheBytesMax) view.reset();
  Waiting waiting;
  waiting.pending = pending;
  waiting.view = std::move(view);
  children_.add(std::move(waiting));
}

void Delivery::offer_late(Pending pending, const std::string& legal_basis) {
  pending.late = true;
  pending.attempt = 1;
  pending.counted = 0;
  pending.nacked = false;
  pending.after_gap = false;
  records_.offered(pending, pending.attempt, legal_basis);
  waiting_alarm_.offered();
  ++context_.counters.offered;
  // Beyond what has been read in, it is found on disk in its turn.
  if (!connection_ || (on_disk_ && pending.sequence > loaded_through_)) return;
  if (children_.held() >= limits::kWindowMax) {
    loaded_through_ = std::min(loaded_through_, pending.sequence - 1);
    on_disk_ = true;
    return;
  }
  Waiting waiting;
  waiting.pending = pending;
  children_.add(std::move(waiting));
}

void Delivery::withhold(Sequence sequence, std::uint64_t policy_version, const std::string& why) {
  records_.withheld(sequence, policy_version, why);
  ++context_.counters.withheld;
}

void Delivery::attach(ConnectionId connection, std::uint32_t credit, std::uint32_t rate_per_minute,
                      Timestamp now) {
  const bool told = lost_ && lost_->connection == connection_;
  if (connection_ && *connection_ != connection && !told) lose(false, now);
  if (connection_) detach(now);
  connection_ = connection;
  grant(credit);
  rate_limit_.set(lower_limit(subscription_.rate_per_minute, rate_per_minute), now);
}

void Delivery::detach(Timestamp now) {
  while (!in_flight_.empty()) {
    auto flight = land(in_flight_.begin());
    if (kFault == Fault::loses_unacked_on_reconnect) {
      children_.settled(flight.delivery.pending.person);
      continue;
    }
    children_.given_back(std::move(flight.delivery), flight.not_before, now);
  }
  deadlines_.clear();
  if (kFault != Fault::keeps_the_overdue_on_reconnect) overdue_.clear();
  connection_.reset();
  if (kFault != Fault::keeps_credit_on_reconnect) credit_ = 0;
  breaker_.disconnected(now);
  children_.trim();
  if (kFault != Fault::loses_unacked_on_reconnect) loaded_through_ = 0;
  on_disk_ = !watch();
}

void Delivery::follow(const CourseChange& change) {
  apply(change, course_);
  if (!paused()) pause_alarm_.resumed();
  // A skipped delivery leaves a gap behind.
  if (change.change == ledger::SubscriptionChange::skipped) gaps_possible_ = true;
}

void Delivery::start_over(Timestamp now) {
  while (!in_flight_.empty()) {
    const auto flight = land(in_flight_.begin());
    records_.nacked(flight.delivery.pending, ledger::NakKind::unavailable, false, "cursor_reset");
  }
  deadlines_.clear();
  overdue_.clear();
  breaker_.disconnected(now);
  children_ = Children();
  loaded_through_ = 0;
  on_disk_ = true;
}

bool Delivery::wants_more(std::size_t held_max) const {
  return connection_ && !on_disk_ && !paused() && !held_back_ &&
         children_.held() + in_flight_.size() < held_max && open_ < held_max;
}

void Delivery::grant(std::uint32_t credit) {
  if (credit > limits::kCreditMax - credit_) ++context_.counters.excess_credit;
  credit_ = std::min(limits::kCreditMax, credit_ + std::min(credit, limits::kCreditMax));
}

Delivery::InFlight Delivery::land(Flights::iterator flight) {
  auto landed = std::move(flight->second);
  in_flight_bytes_ -= landed.bytes;
  in_flight_.erase(flight);
  return landed;
}

void Delivery::succeed(Sequence sequence, Timestamp now) {
  receiver_.acked();
  lost_in_row_ = 0;
  ++context_.counters.acked;
  breaker_.succeeded(now);
  waiting_alarm_.taken(now);
  if (breaker_.closed()) outage_alarm_.over();
  if (!watch()) records_.acked(sequence);
}

void Delivery::ack(Sequence first, Sequence last, Timestamp now, Decision&) {
  bool any = false;
  for (auto flight = in_flight_.lower_bound(first); flight != in_flight_.end() && flight->first <= last;) {
    const auto sequence = flight->first;
    const auto next = std::next(flight);
    const auto person = land(flight).delivery.pending.person;
    succeed(sequence, now);
    children_.settled(person);
    flight = next;
    any = true;
  }
  for (auto late = overdue_.lower_bound(first); late != overdue_.end() && late->first <= last;) {
    const auto [sequence, person] = *late;
    late = overdue_.erase(late);
    if (!children_.has_head(person, sequence)) continue;
    succeed(sequence, now);
    children_.drop_head(person);
    any = true;
  }
  if (!any && kFault != Fault::ignores_answers_uncounted) ++context_.counters.ignored_answers;
}

void Delivery::nak(const wire::NakItem& item, bool alone, Timestamp now, Decision& out) {
  const auto flight = in_flight_.find(item.sequence());
  if (flight == in_flight_.end()) {
    ++context_.counters.ignored_answers;
    return;
  }
  ++context_.counters.nacked;
  auto delivery = land(flight).delivery;
  if (watch()) {
    children_.settled(delivery.pending.person);
    return;
  }
  fail_delivery(std::move(delivery), item, alone, now, out);
}

void Delivery::fail_delivery(Waiting delivery, const wire::NakItem& item, bool alone, Timestamp now,
                             Decision& out) {
  auto& pending = delivery.pending;
  auto& suspicion = delivery.suspicion;
  lost_in_row_ = 0;
  const auto given = item.code() == nullptr ? std::string_view() : item.code()->string_view();
  std::string code(given.substr(0, limits::kNameBytesMax));
  auto kind = item.kind();
  if (kind == ledger::NakKind::unknown) kind = ledger::NakKind::failed;
  bool counted = false;
  auto not_before = now;
  if (kind != ledger::NakKind::unavailable) suspicion.clear();
  if (kind == ledger::NakKind::unavailable) {
    counted = kFault == Fault::counts_unavailable;
    if (felled(suspicion, item, alone)) {
      counted = true;
      kind = ledger::NakKind::failed;
      code = kReceiverFellOverCode;
      tell_of_blame(delivery, "times in a row its receiver became unavailable over", out);
    }
    breaker_.unavailable(item.retry_after_ms(), now);
    if (suspicion.suspected())
      not_before.us += backoff_us(subscription_.retry, suspicion.falls() - 1, context_.random);
  } else if (kind == ledger::NakKind::failed) {
    const bool receivers_fault = breaker_.failed(pending.person, now);
    // An outage between two attempts explains the first failure that it began with.
    counted = !receivers_fault && receiver_.acks > delivery.acks_at_previous &&
              breaker_.openings() == delivery.openings_at_previous;
    const auto asked = std::int64_t{std::min(item.retry_after_ms(), kRetryAfterMaxMs)} * kMillisecondUs;
    not_before.us += std::max(asked, backoff_us(subscription_.retry, pending.attempt, context_.random));
  }
  records_.nacked(pending, kind, counted, code);
  if (counted) ++pending.counted;
  if (kind == ledger::NakKind::rejected || pending.counted >= subscription_.retry.attempts_max) {
    // A refusal is an answer, too: the receiver is there.
    if (kind == ledger::NakKind::rejected) breaker_.succeeded(now);
    give_up(delivery, code, out);
    children_.settled(pending.person);
  } else {
    children_.given_back(std::move(delivery), not_before, now);
  }
  if (!paused()) outage_alarm_.look(subscription_.name, breaker_.open_since(), now, out);
}

void Delivery::give_up(const Waiting& delivery, const std::string& code, Decision& out) {
  records_.dead_letter(delivery.pending, code);
  ++context_.counters.dead_lettered;
  gaps_possible_ = true;
  out.alarms.push_back({"dead_letter", "subscription " + subscription_.name + ": event " +
                                           std::to_string(delivery.pending.sequence) +
                                           " was given up; see carehub dead-letters"});
}

void Delivery::expire(Timestamp now, Decision& out) {
  std::ranges::move(untold_.alarms, std::back_inserter(out.alarms));
  untold_.alarms.clear();
  while (!deadlines_.empty()) {
    const auto [deadline, sequence] = deadlines_.front();
    const auto flight = in_flight_.find(sequence);
    const bool answered = flight == in_flight_.end() || flight->second.deadline != deadline;
    if (!answered && deadline > now) break;
    deadlines_.pop_front();
    if (answered) continue;
    auto delivery = land(flight).delivery;
    const auto person = delivery.pending.person;
    if (watch()) {
      children_.settled(person);
      continue;
    }
    breaker_.unavailable(0, now);
    records_.nacked(delivery.pending, ledger::NakKind::unavailable, false, "no_answer");
    overdue_[sequence] = person;
    children_.given_back(std::move(delivery), now, now);
  }
  children_.wake(now);
  if (!paused()) outage_alarm_.look(subscription_.name, breaker_.open_since(), now, out);
}

Result<void> Delivery::write_records(Timestamp now) {
  if (records_.empty()) return {};
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  records_.write(subscription_.name, subscription_.role, *key, context_.journal, now);
  return {};
}

Result<void> Delivery::load() {
  if (!gaps_known_) {
    auto gaps = context_.state.has_gaps(subscription_.name);
    if (!gaps) return tl::unexpected(gaps.error());
    gaps_possible_ = gaps_possible_ || *gaps;
    gaps_known_ = true;
  }
  for (int loads = 0; on_disk_ && children_.held() < limits::kWindowMax / 2; ++loads) {
    if (loads == kLoadsOfOneStep) {
      more_now_ = true;
      return {};
    }
    auto rows = context_.state.pending(subscription_.name, loaded_through_, kLoadRows);
    if (!rows) return tl::unexpected(rows.error());
    for (const auto& pending : *rows) {
      loaded_through_ = std::max(loaded_through_, pending.sequence);
      if (!in_flight_.contains(pending.sequence)) children_.add(waiting_from_disk(pending));
    }
    on_disk_ = rows->size() == kLoadRows;
  }
  return {};
}

Result<void> Delivery::refill() {
  for (const auto& [person, after] : children_.take_wanted()) {
    auto rows = context_.state.pending_of(subscription_.name, person, after, Children::kOfOneChildMax);
    if (!rows) return tl::unexpected(rows.error());
    std::vector<Waiting> found;
    found.reserve(rows->size());
    for (const auto& pending : *rows) found.push_back(waiting_from_disk(pending));
    children_.refill(person, std::move(found), rows->size() == Children::kOfOneChildMax);
  }
  return {};
}

/// Something may leave as soon as its time has come.
bool Delivery::has_room() const {
  if (!connection_ || credit_ == 0 || in_flight_bytes_ >= limits::kInFlightBytesMax ||
      in_flight_.size() >= limits::kCreditMax || !(breaker_.closed() || breaker_.waits()))
    return false;
  const auto next = children_.next(receiver_.acks, !breaker_.closed());
  if (in_flight_.empty()) return next != Children::Next::nobody;
  // What is suspected flies alone.
  return next == Children::Next::ordinary && !in_flight_.begin()->second.delivery.suspicion.suspected();
}

bool Delivery::may_send(Timestamp now) const {
  return has_room() && breaker_.gate(now) != Breaker::Gate::shut && rate_next(now) <= now;
}

/// False: there is nothing to show any more, and the delivery is over.
Result<bool> Delivery::ready_view(Waiting& waiting, Decision& out) {
  if (waiting.view) return true;
  auto view =
      context_.disclosure.view(context_.state, waiting.pending, subscription_.role, subscription_.agency);
  if (!view) {
    if (!nothing_to_show(view.error())) return tl::unexpected(view.error());
    if (!watch())
      give_up(waiting, view.error().kind == ErrorKind::invalid ? "view_too_large" : "nothing_to_show", out);
    children_.settled(waiting.pending.person);
    more_now_ = true;
    return false;
  }
  waiting.view = std::move(*view);
  return true;
}

Result<void> Delivery::read_gap(Pending& pending) {
  if (!gaps_possible_ || watch()) return {};
  auto row = context_.state.pending_of(subscription_.name, pending.person, pending.sequence - 1, 1);
  if (!row) return tl::unexpected(row.error());
  if (!row->empty() && row->front().sequence == pending.sequence) pending.after_gap = row->front().after_gap;
  return {};
}

void Delivery::launch(Waiting waiting, Timestamp now, std::vector<wire::DeliveryT>& batch) {
  auto& pending = waiting.pending;
  if (waiting.left) {
    ++pending.attempt;
    if (kFault != Fault::retries_without_offered)
      records_.offered(pending, pending.attempt, waiting.view->legal_basis);
  }
  waiting.sent(receiver_.acks, breaker_.openings());
  if (kFault != Fault::ignores_credit) --credit_;
  if (kFault != Fault::lets_retries_exceed_the_rate || pending.attempt == 1) rate_limit_.take(now);
  if (shared_rate_ != nullptr && kFault != Fault::replays_as_fast_as_it_can) shared_rate_->take(now);
  ++context_.counters.delivered;

  wire::DeliveryT delivery;
  delivery.sequence = pending.sequence;
  delivery.attempt = pending.attempt;
  delivery.appended_at = waiting.view->appended_at.us;
  delivery.type = waiting.view->type;
  const auto& replay = subscription_.replay;
  const auto& known_as = replay ? replay->subscription : subscription_.name;
  const auto pseudonym =
      storage::keyed_hash(context_.index_key, "pseudonym:" + known_as + ":" + to_hex(pending.person.bytes));
  delivery.person = std::make_unique<ledger::Key>(to_ledger(pseudonym));
  delivery.view = waiting.view->event;
  delivery.legal_basis = waiting.view->legal_basis;
  delivery.late = pending.late;
  delivery.after_gap = pending.after_gap;
  delivery.replay = replay.has_value() && kFault != Fault::sends_a_replay_unmarked;
  delivery.marks = waiting.view->marks;
  batch.push_back(std::move(delivery));

  InFlight flight;
  flight.deadline = {now.us + std::int64_t{subscription_.retry.ack_wait_ms} * kMillisecondUs};
  flight.bytes = batch.back().view.size();
  waiting.view.reset();
  flight.delivery = std::move(waiting);
  in_flight_bytes_ += flight.bytes;
  deadlines_.emplace_back(flight.deadline, batch.back().sequence);
  overdue_.erase(batch.back().sequence);
  in_flight_.emplace(batch.back().sequence, std::move(flight));
}

Result<void> Delivery::send_ready(Timestamp now, Decision& out) {
  more_now_ = false;
  if (!connection_ || paused() || course_.skip_before != 0) return {};
  if (held_back_ && kFault != Fault::replays_into_a_pause) return {};
  if (!watch()) {
    if (auto loaded = load(); !loaded) return loaded;
    if (auto refilled = refill(); !refilled) return refilled;
  }
  std::vector<wire::DeliveryT> batch;
  std::size_t batch_bytes = 0;
  std::size_t step_bytes = 0;
  const auto leave = [&] {
    const auto& replay = subscription_.replay;
    if (!batch.empty())
      out.sends.push_back({*connection_, deliver_frame(label_, batch, replay ? replay->subscription : "")});
    batch.clear();
    batch_bytes = 0;
  };
  while (may_send(now)) {
    if (step_bytes >= kStepBytesMax) {
      more_now_ = true;
      break;
    }
    const bool probe = breaker_.gate(now) == Breaker::Gate::probe;
    auto waiting = children_.take(receiver_.acks, probe);
    const auto at_work = context_.note.begin(work(Step::deliver, waiting->pending.sequence));
    if (!at_work) go_round(*waiting, out);
    auto shown = at_work ? ready_view(*waiting, out) : Result<bool>(false);
    if (!shown) return tl::unexpected(shown.error());
    if (!*shown) {
      // The child's next one goes after a gap, which is known once it is folded.
      if (auto written = write_records(now); !written) return written;
      continue;
    }
    if (auto read = read_gap(waiting->pending); !read) return read;
    const auto size = waiting->view->event.size();
    if (batch.size() == limits::kDeliverItemsMax || batch_bytes + size > limits::kDeliverBytesMax) leave();
    launch(std::move(*waiting), now, batch);
    batch_bytes += size;
    step_bytes += size;
    if (probe) breaker_.probing();
  }
  leave();
  return {};
}

Result<void> Delivery::watch_age(Timestamp now, Decision& out) {
  if (paused()) {
    pause_alarm_.look(subscription_.name, *course_.paused_since, now, out);
    return {};
  }
  const bool held_back = has_room() && rate_next(now) > now;
  const auto why = !connection_            ? "nobody is connected for it"
                   : breaker_.open_since() ? "its receiver is unavailable"
                   : held_back             ? "more comes than its rate_per_minute lets through"
                                           : "its reader is connected but does not take it";
  return waiting_alarm_.look(context_.state, subscription_.name, why, now, out);
}

std::optional<Timestamp> Delivery::next_due(Timestamp now) const {
  std::optional<Timestamp> due = paused() ? pause_alarm_.due(*course_.paused_since) : waiting_alarm_.due();
  if (!connection_) return due;
  if (more_now_) return now;
  const auto sooner = [&](Timestamp at) { due = due ? std::min(*due, at) : at; };
  if (!deadlines_.empty()) sooner(deadlines_.front().first);
  if (paused() || held_back_) return due;
  if (const auto wake = children_.next_wake()) sooner(*wake);
  if (has_room() && !may_send(now)) {
    sooner(std::max(breaker_.waits() ? breaker_.probe_at() : now, rate_next(now)));
  }
  return due;
}

}  // namespace carehub::core
