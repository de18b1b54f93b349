#pragma once

#include <deque>
#include <functional>
#include <map>

#include "broker/core/breaker.hpp"
#include "broker/core/children.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/outage_alarm.hpp"
#include "broker/core/pause_alarm.hpp"
#include "broker/core/rate_limit.hpp"
#include "broker/core/rules.hpp"
#include "broker/core/waiting_alarm.hpp"
#include "broker/core/watch_names.hpp"
#include "broker/core/work_note.hpp"

namespace carehub::core {

/// What every delivery decides with. The engine owns it all.
struct DeliveryContext {
  const StateReader& state;
  Journal& journal;
  const Disclosure& disclosure;
  DayKeys& day_keys;
  Random& random;
  const storage::SecretKey& index_key;
  Counters& counters;
  WorkNote& note;
};

/// One subscription: what waits for it, what is in flight, and what becomes of an answer. A watch is a
/// subscription that ends with its connection: what it is shown is recorded, but nothing waits on disk for
/// it.
class Delivery {
 public:
  /// `label` is what frames call it; for a durable subscription its name.
  Delivery(Subscription subscription, std::string label, const DeliveryContext& context);

  const Subscription& subscription() const { return subscription_; }
  const std::string& label() const { return label_; }
  bool watch() const { return !subscription_.durable; }
  std::optional<ConnectionId> connection() const { return connection_; }
  void change_filter(ledger::FilterT filter) { subscription_.filter = std::move(filter); }

  /// A newly admitted event is this subscription's: records the Offered. `view` may be null.
  void offer(const Pending& pending, std::shared_ptr<const View> view, const std::string& legal_basis);
  /// A dead letter goes out again.
  void offer_late(Pending pending, const std::string& legal_basis);
  void withhold(Sequence sequence, std::uint64_t policy_version, const std::string& why);

  /// Where it stands; what is folded at start, and each change as it is recorded.
  const Course& course() const { return course_; }
  /// What the hub does to an event for this subscription, as it is noted.
  Work work(Step step, Sequence sequence) const { return {step, sequence, name_hash_}; }
  bool paused() const { return course_.paused_since.has_value(); }
  void take_course(const Course& course) { course_ = course; }
  void follow(const CourseChange& change);
  /// Forgets what it holds, which is on disk, before the cursor is reset. What is in flight comes again with
  /// an Offered of its own.
  void start_over(Timestamp now);

  /// A child was erased: nothing of theirs is sent any more, and no answer to what is in flight counts.
  void forget(const PersonKey& person, Timestamp now) {
    const auto forgotten = std::erase_if(in_flight_, [&](const auto& flight) {
      const bool theirs = flight.second.delivery.pending.person == person;
      if (theirs) in_flight_bytes_ -= flight.second.bytes;
      return theirs;
    });
    if (forgotten > 0) breaker_.disconnected(now);  // it may have been the probe: another one leaves
    std::erase_if(overdue_, [&](const auto& late) { return late.second == person; });
    children_.forget(person);
  }

  /// From here on this connection gets the deliveries, `credit` of them before it returns any. Of the
  /// configured rate and `rate_per_minute` the lower holds; 0: none.
  void attach(ConnectionId connection, std::uint32_t credit, std::uint32_t rate_per_minute, Timestamp now);
  /// The connection was lost, or taken over: whoever is suspected of it waits before it is sent again.
  /// `alone`: one delivery was in flight on the whole of it, and counts as failed if it is to blame. detach()
  /// comes next.
  void lose(bool alone, Timestamp now);
  /// What is in flight is pending again, and no attempt is counted.
  void detach(Timestamp now);
  /// What is in flight on that connection, or was when it was lost.
  std::size_t in_flight_on(ConnectionId connection) const {
    if (connection_ == connection) return in_flight_.size();
    return lost_ && lost_->connection == connection ? lost_->in_flight : 0;
  }
  std::size_t in_flight() const { return in_flight_.size(); }
  void grant(std::uint32_t credit);

  /// What leaves counts against that one's rate, too; it outlives this one.
  void share_rate(Delivery& target) { shared_rate_ = &target.rate_limit_; }
  /// A replay waits while the subscription that it goes into is paused.
  void hold_back(bool held_back) { held_back_ = held_back; }
  /// Of what was offered, so much is neither taken nor given up, in memory or on disk.
  void note_open(std::size_t open) { open_ = open; }
  /// It is being sent what it holds, and fewer than so many are open.
  bool wants_more(std::size_t held_max) const;
  /// It holds nothing in memory and has nothing in flight.
  bool idle() const { return children_.held() == 0 && in_flight_.empty(); }

  /// Answers from the attached connection. What was not in flight is ignored and counted.
  void ack(Sequence first, Sequence last, Timestamp now, Decision& out);
  /// `alone`: nothing else is in flight to the same receiver.
  void nak(const wire::NakItem& item, bool alone, Timestamp now, Decision& out);

  /// Takes back what was not answered in time.
  void expire(Timestamp now, Decision& out);
  /// Writes what happened since the last call.
  Result<void> write_records(Timestamp now);
  /// Reads in what waits on disk, then sends what is ready within credit. Call write_records() before and
  /// after.
  Result<void> send_ready(Timestamp now, Decision& out);

  /// Says when what waits gets too old.
  Result<void> watch_age(Timestamp now, Decision& out);

  /// When something is due without anybody's doing.
  std::optional<Timestamp> next_due(Timestamp now) const;
  /// A watch that has more waiting than it may.
  bool overflowed() const { return overflowed_; }

 private:
  struct InFlight {
    Waiting delivery;
    Timestamp deadline;
    Timestamp not_before;  // once its connection is lost
    std::size_t bytes = 0;
  };
  using Flights = std::map<Sequence, InFlight>;
  struct Lost {
    ConnectionId connection;
    std::size_t in_flight;
  };

  void succeed(Sequence sequence, Timestamp now);
  void fail_delivery(Waiting delivery, const wire::NakItem& item, bool alone, Timestamp now, Decision& out);
  bool felled(Suspicion& suspicion, const wire::NakItem& item, bool alone);
  void blame(Flights::iterator flight);
  void tell_of_blame(const Waiting& delivery, const char* what, Decision& out) const;
  void give_up(const Waiting& delivery, const std::string& code, Decision& out);
  InFlight land(Flights::iterator flight);
  Result<void> load();
  Result<void> refill();
  void go_round(const Waiting& waiting, Decision& out);
  Result<bool> ready_view(Waiting& waiting, Decision& out);
  Result<void> read_gap(Pending& pending);
  void launch(Waiting waiting, Timestamp now, std::vector<wire::DeliveryT>& batch);
  bool has_room() const;
  bool may_send(Timestamp now) const;
  /// When its rate lets something through, and that of the receiver that it shares.
  Timestamp rate_next(Timestamp now) const {
    const auto own = rate_limit_.next(now);
    return shared_rate_ == nullptr ? own : std::max(own, shared_rate_->next(now));
  }

  Subscription subscription_;
  std::uint64_t name_hash_;
  std::string label_;
  DeliveryContext context_;
  Breaker breaker_;
  RateLimit rate_limit_;
  RateLimit* shared_rate_ = nullptr;  // of the subscription that this replay goes into
  Children children_;
  DeliveryRecords records_;
  WaitingAlarm waiting_alarm_;
  PauseAlarm pause_alarm_;
  OutageAlarm outage_alarm_;
  Course course_;
  Flights in_flight_;
  std::deque<std::pair<Timestamp, Sequence>> deadlines_;
  std::map<Sequence, PersonKey> overdue_;  // not answered in time, not sent again yet
  std::optional<ConnectionId> connection_;
  std::optional<Lost> lost_;  // the newest
  std::uint32_t credit_ = 0;
  std::size_t in_flight_bytes_ = 0;
  ReceiverCourse receiver_;
  std::uint32_t lost_in_row_ = 0;  // sessions, with something in flight, since the newest answer
  Decision untold_;                // of what happened between steps
  Sequence loaded_through_ = 0;
  std::size_t open_ = 0;  // as of note_open(), and offered since
  bool held_back_ = false;
  bool on_disk_ = true;      // something beyond loaded_through_ may wait on disk
  bool gaps_known_ = false;  // has_gaps() has been asked since the start
  bool gaps_possible_ = false;
  bool more_now_ = false;  // send_ready() stopped at its bound
  bool overflowed_ = false;
};

}  // namespace carehub::core
