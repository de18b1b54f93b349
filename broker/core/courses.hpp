#pragma once

#include "broker/core/day_keys.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/subscribers.hpp"

namespace carehub::core {

/// The `by` of what the hub does to a subscription of itself.
constexpr const char* kByHub = "hub";

/// The process that asks, and for whom it says so; never what the hub itself signs with.
std::string asker(const Peer& peer, const std::string& by);

/// What is written down when a subscription changes; `filter` where it is made or changed.
struct SubscriptionRecord {
  const Subscription& subscription;
  ledger::SubscriptionChange change = ledger::SubscriptionChange::unknown;
  std::string by;
  std::string reason = {};
  Sequence start = 0;
  Sequence through = 0;
};
/// Appends the SubscriptionChanged; its sequence.
Result<Sequence> record_change(const DeliveryContext& context, const SubscriptionRecord& record,
                               Timestamp now);

/// The first entry that was appended at `at` or later; head + 1 where none was.
Result<Sequence> first_entry_since(const StateReader& state, Sequence head, Timestamp at);

class RefusedQuestions;
class ReplaysInto;

/// What operators do to subscriptions, and the work of those that are not at the ledger's end: a part of it a
/// step, however much history there is.
class Courses {
 public:
  Courses(const DeliveryContext& context, Deliveries& deliveries, Subscribers& subscribers,
          ReplaysInto& replays, RefusedQuestions& refused)
      : context_(context),
        deliveries_(deliveries),
        subscribers_(subscribers),
        replays_(replays),
        refused_(refused) {}

  Result<void> handle(const Peer& peer, const wire::HandleSubscription& frame, Sequence head, Timestamp now,
                      Decision& out);

  /// Skips and offers a bounded part.
  Result<void> advance(Sequence head, Timestamp now, Decision& out);
  /// There is more to do at once.
  bool has_more(Sequence head) const;

  /// How many entries one step looks at, and how many deliveries it skips, for all subscriptions together.
  static constexpr std::size_t kEntriesOfStep = 1024;
  /// How many deliveries a replay keeps ahead of its receiver: what it has not come to is not offered yet.
  static constexpr std::size_t kReplayAheadMax = 256;

 private:
  struct Refusal {
    ErrorKind kind;
    std::string text;
  };
  /// The entry that records it, or why not.
  using Done = Result<tl::expected<Sequence, Refusal>>;
  Done act(const Peer& peer, const wire::HandleSubscription& frame, Sequence head, Timestamp now,
           Decision& out);
  Done remove(Delivery& delivery, const SubscriptionRecord& record, Timestamp now, Decision& out);
  Done reset(Delivery& delivery, const wire::HandleSubscription& frame, Sequence head,
             const SubscriptionRecord& record, Timestamp now);
  Result<Sequence> change(Delivery& delivery, const SubscriptionRecord& record, Timestamp now);
  Result<void> skip(Delivery& delivery, std::size_t rows_max, Timestamp now);
  Result<void> look(Delivery& delivery, std::size_t entries_max, Sequence head, Timestamp now, Decision& out);
  Result<void> pass_over(const Delivery& delivery, Sequence sequence, Timestamp now, Decision& out);
  Result<void> look_at(Delivery& delivery, Sequence sequence, Timestamp now);
  bool is_for(const Subscription& subscription, const ledger::EventEntry& entry, const event::Event& event);
  Result<bool> is_shown_as_asked(const Subscription& subscription, const DisclosureRule& rule,
                                 const ledger::EventEntry& entry, const RecordedEvent& recorded,
                                 RestrictionSet marks) const;

  DeliveryContext context_;
  Deliveries& deliveries_;
  Subscribers& subscribers_;
  ReplaysInto& replays_;
  RefusedQuestions& refused_;
  Sequence seen_head_ = 0;
};

}  // namespace carehub::core
