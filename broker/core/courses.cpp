#include "broker/core/courses.hpp"

#include <algorithm>

#include "broker/base/event_fields.hpp"
#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/core/mending.hpp"
#include "broker/core/refused_questions.hpp"
#include "broker/core/replays_into.hpp"
#include "broker/core/route.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kEntriesMin = 64;  // of one subscription a step, however many are on their way

std::string text_of(const flatbuffers::String* text) {
  return text == nullptr ? std::string()
                         : std::string(text->string_view().substr(0, limits::kErrorTextBytesMax));
}

}  // namespace

std::string asker(const Peer& peer, const std::string& by) {
  if (!by.empty()) return peer.client + "/" + by;
  const bool reserved = peer.client == kByConfiguration || peer.client == kByHub;
  return reserved ? "client " + peer.client : peer.client;
}

Result<Sequence> record_change(const DeliveryContext& context, const SubscriptionRecord& record,
                               Timestamp now) {
  using Change = ledger::SubscriptionChange;
  auto key = context.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::SubscriptionChangedT entry;
  entry.name = record.subscription.name;
  entry.change = record.change;
  entry.agency = record.subscription.agency;
  entry.role = record.subscription.role;
  if (record.change == Change::created || record.change == Change::changed ||
      record.change == Change::removed) {
    entry.filter = std::make_unique<ledger::FilterT>(record.subscription.filter);
  }
  entry.by = record.by;
  entry.reason = record.reason;
  entry.start = record.start;
  entry.through = record.through;
  if (const auto& replay = record.subscription.replay) {
    entry.replay_of = replay->subscription;
    if (record.change == Change::created) {
      entry.last = replay->last;
      if (replay->person) entry.person = std::make_unique<ledger::Key>(to_ledger(*replay->person));
      entry.rate_per_minute = record.subscription.rate_per_minute;
      entry.raise_notices = replay->raise_notices;
    }
  }
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::SubscriptionChanged::Pack(builder, &entry));
  return context.journal.append({storage::EntryKind::subscription_changed, *key, std::move(body)}, now);
}

Result<Sequence> first_entry_since(const StateReader& state, Sequence head, Timestamp at) {
  Sequence from = 1;
  Sequence to = head + 1;
  while (from < to) {
    const auto middle = from + (to - from) / 2;
    const auto body = state.body(middle);
    if (!body) return tl::unexpected(body.error());
    if (body->appended_at < at) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

Result<void> Courses::handle(const Peer& peer, const wire::HandleSubscription& frame, Sequence head,
                             Timestamp now, Decision& out) {
  auto done = act(peer, frame, head, now, out);
  if (!done) return tl::unexpected(done.error());
  if (*done) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), std::nullopt, "", **done)});
    return {};
  }
  const auto& [kind, why] = done->error();
  out.sends.push_back({peer.connection, handled_frame(frame.number(), kind, why, 0)});
  const bool known = frame.action() <= wire::SubscriptionAction::MAX;
  Wish wish{std::string("subscription ") + (known ? wire::EnumNameSubscriptionAction(frame.action()) : ""),
            {},
            frame.by(),
            frame.reason()};
  wish.what.add("subscription", text_of(frame.subscription()));
  return refused_.add(peer, std::move(wish), why, now);
}

Courses::Done Courses::act(const Peer& peer, const wire::HandleSubscription& frame, Sequence head,
                           Timestamp now, Decision& out) {
  using Action = wire::SubscriptionAction;
  using Change = ledger::SubscriptionChange;
  const auto refuse = [](ErrorKind kind, std::string why) {
    return Done(tl::unexpected(Refusal{kind, std::move(why)}));
  };
  if (!peer.is_operator)
    return refuse(ErrorKind::denied, "only an operator's connection changes subscriptions");
  const auto reason = text_of(frame.reason());
  if (reason.empty()) return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  auto* delivery = deliveries_.find(text_of(frame.subscription()));
  if (delivery == nullptr || delivery->watch())
    return refuse(ErrorKind::not_found, "there is no durable subscription of this name");
  const auto& subscription = delivery->subscription();
  const auto by = text_of(frame.by());
  SubscriptionRecord record{subscription, Change::unknown, asker(peer, by), reason, 0, 0};
  switch (frame.action()) {
    case Action::pause:
      if (delivery->paused()) return refuse(ErrorKind::conflict, "it is paused already");
      record.change = Change::paused;
      break;
    case Action::resume:
      if (!delivery->paused()) return refuse(ErrorKind::conflict, "it is not paused");
      record.change = Change::resumed;
      break;
    case Action::reset:
      if (subscription.replay)
        return refuse(ErrorKind::conflict, "it is a replay: remove it and start another from where you mean");
      return reset(*delivery, frame, head, record, now);
    case Action::remove:
      record.change = Change::removed;
      if (subscription.replay) {
        auto stopped = replays_.stop(*delivery, record, head, now);
        if (!stopped) return tl::unexpected(stopped.error());
        return Done(*stopped);
      }
      return remove(*delivery, record, now, out);
    default: return refuse(ErrorKind::invalid, "a subscription is paused, resumed, reset or removed");
  }
  auto recorded = change(*delivery, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  return Done(*recorded);
}

Courses::Done Courses::remove(Delivery& delivery, const SubscriptionRecord& record, Timestamp now,
                              Decision& out) {
  const auto subscription = delivery.subscription();
  if (subscription.configured) {
    return Done(tl::unexpected(
        Refusal{ErrorKind::conflict, "hub.toml has its channel: take it out there and start the hub again"}));
  }
  if (!deliveries_.replays_into(subscription.name).empty())
    return Done(tl::unexpected(Refusal{ErrorKind::conflict, "a replay goes into it: remove that one first"}));
  // What this step has offered or settled counts.
  if (auto written = delivery.write_records(now); !written) return tl::unexpected(written.error());
  auto waits = context_.state.pending(subscription.name, 0, 1);
  if (!waits) return tl::unexpected(waits.error());
  if (!waits->empty()) {
    return Done(tl::unexpected(Refusal{ErrorKind::conflict,
                                       "deliveries wait for it: reset it to now first, so that they are "
                                       "skipped on record"}));
  }
  auto recorded = record_change(context_, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  if (const auto connection = delivery.connection()) {
    out.sends.push_back(
        {*connection, rejected_frame(ErrorKind::not_found,
                                     "subscription " + subscription.name + ": an operator has removed it",
                                     false, 0, subscription.name)});
  }
  deliveries_.remove(subscription.name);
  subscribers_.removed(subscription);
  return Done(*recorded);
}

Courses::Done Courses::reset(Delivery& delivery, const wire::HandleSubscription& frame, Sequence head,
                             const SubscriptionRecord& wanted, Timestamp now) {
  auto record = wanted;
  record.change = ledger::SubscriptionChange::cursor_reset;
  record.through = head;
  switch (frame.position()) {
    case wire::Position::beginning: record.start = 1; break;
    case wire::Position::now: record.start = head + 1; break;
    case wire::Position::sequence: record.start = frame.sequence(); break;
    case wire::Position::time: {
      auto since = first_entry_since(context_.state, head, {frame.at()});
      if (!since) return tl::unexpected(since.error());
      record.start = *since;
      break;
    }
    default: break;
  }
  if (record.start == 0 || record.start > head + 1) {
    return Done(
        tl::unexpected(Refusal{ErrorKind::invalid,
                               "a cursor is set to the beginning, to now, to a time or to an entry from "
                               "1 to " +
                                   std::to_string(head + 1)}));
  }
  // What was sent before it may come again: what is in flight was not answered as far as anybody knows.
  delivery.start_over(now);
  if (auto written = delivery.write_records(now); !written) return tl::unexpected(written.error());
  auto recorded = change(delivery, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  return Done(*recorded);
}

Result<Sequence> Courses::change(Delivery& delivery, const SubscriptionRecord& record, Timestamp now) {
  auto recorded = record_change(context_, record, now);
  if (!recorded) return recorded;
  delivery.follow({record.change, record.start, record.through, record.by == kByConfiguration, now});
  return recorded;
}

namespace {

bool is_moving(const std::unique_ptr<Delivery>& delivery) { return delivery->course().moving(); }

/// A replay goes on as its receiver takes what it has offered; all others go on until they are there.
bool may_look(const Delivery& delivery) {
  return !delivery.subscription().replay || delivery.wants_more(Courses::kReplayAheadMax / 2);
}

}  // namespace

Result<void> Courses::advance(Sequence head, Timestamp now, Decision& out) {
  const auto growth = seen_head_ == 0 ? 0 : static_cast<std::size_t>(head - std::min(seen_head_, head));
  seen_head_ = head;
  const auto count = static_cast<std::size_t>(std::ranges::count_if(deliveries_.all(), is_moving));
  if (count == 0) return {};
  // Whatever comes in, each catches up.
  const auto share = std::max(kEntriesMin, kEntriesOfStep / count) +
                     2 * std::min<std::size_t>(growth, limits::kBatchEntriesMax);
  for (const auto& delivery : deliveries_.all()) {
    if (!is_moving(delivery)) continue;
    if (delivery->subscription().replay) {
      // What a child that is parked has on disk is open, too.
      const auto counts = context_.state.replay_counts(delivery->subscription().name);
      if (!counts) return tl::unexpected(counts.error());
      delivery->note_open(counts->pending);
    }
    Result<void> done;
    if (delivery->course().skip_before != 0) {
      done = skip(*delivery, share, now);
    } else if (may_look(*delivery)) {
      done = look(*delivery, share, head, now, out);
    }
    if (!done) return done;
  }
  return {};
}

bool Courses::has_more(Sequence head) const {
  return std::ranges::any_of(deliveries_.all(), [head](const auto& delivery) {
    const auto& course = delivery->course();
    return course.skip_before != 0 || (course.next != 0 && course.next <= head && may_look(*delivery));
  });
}

Result<void> Courses::skip(Delivery& delivery, std::size_t rows_max, Timestamp now) {
  const auto before = delivery.course().skip_before;
  auto rows = context_.state.pending(delivery.subscription().name, 0, rows_max);
  if (!rows) return tl::unexpected(rows.error());
  const bool all = rows->size() < rows_max || rows->back().sequence >= before;
  SubscriptionRecord record{
      delivery.subscription(), ledger::SubscriptionChange::skipped, kByHub, {}, 1, before - 1};
  if (!all) record.through = rows->back().sequence;
  auto recorded = change(delivery, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  return {};
}

Result<void> Courses::look(Delivery& delivery, std::size_t entries_max, Sequence head, Timestamp now,
                           Decision& out) {
  const auto course = delivery.course();
  const auto end = course.through == 0 ? head : std::min(course.through, head);
  auto next = course.next;
  const bool replay = delivery.subscription().replay.has_value();
  for (std::size_t looked = 0; next <= end && looked < entries_max; ++looked, ++next) {
    if (replay && !delivery.wants_more(kReplayAheadMax)) break;
    const auto at_work = context_.note.begin(delivery.work(Step::offer, next));
    auto done = at_work ? look_at(delivery, next, now) : pass_over(delivery, next, now, out);
    if (!done) return done;
  }
  if (next > head + 1) return {};  // it begins with an entry that is still to come
  // Behind what it offered: an end that is lost may make it offer again, never leave out.
  if (auto written = delivery.write_records(now); !written) return written;
  SubscriptionRecord record{
      delivery.subscription(), ledger::SubscriptionChange::advanced, kByHub, {}, next > end ? 0 : next, 0};
  auto recorded = change(delivery, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  return {};
}

/// The hub has fallen over it, again and again: it is not offered here.
Result<void> Courses::pass_over(const Delivery& delivery, Sequence sequence, Timestamp now, Decision& out) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::OperatorActionT action;
  action.action = kPassOverAction;
  action.by = kByHub;
  action.reason = kHubFellOverCode;
  action.sequence = sequence;
  action.subscription = delivery.subscription().name;
  action.detail = "not offered";
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  context_.journal.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  out.alarms.push_back(
      {"hub_falls_over",
       "subscription " + action.subscription + ": event " + std::to_string(sequence) +
           " is not offered to it, because the hub fell over looking at it again and again"});
  return {};
}

/// A replay narrows what its subscription is interested in; it never widens it.
bool Courses::is_for(const Subscription& subscription, const ledger::EventEntry& entry,
                     const event::Event& event) {
  const auto channel = entry.channel() == nullptr ? std::string_view() : entry.channel()->string_view();
  if (!Mending::is_for(entry, subscription) || !matches(subscription.filter, event, channel)) return false;
  if (!subscription.replay) return true;
  const auto& replay = *subscription.replay;
  if (replay.person && key_from<PersonKey>(*entry.person()) != *replay.person) return false;
  const auto* target = deliveries_.find(replay.subscription);
  if (kFault == Fault::widens_a_replay) return target != nullptr;
  return target != nullptr && matches(target->subscription().filter, event, channel);
}

/// What the agency asked for itself, here and where a replay goes, holds of what the rule shows.
Result<bool> Courses::is_shown_as_asked(const Subscription& subscription, const DisclosureRule& rule,
                                        const ledger::EventEntry& entry, const RecordedEvent& recorded,
                                        RestrictionSet marks) const {
  std::vector<const Subscription*> asking{&subscription};
  if (subscription.replay) {
    if (const auto* target = deliveries_.find(subscription.replay->subscription))
      asking.push_back(&target->subscription());
  }
  std::erase_if(asking, [](const Subscription* one) { return !looks_at_view(*one); });
  if (asking.empty()) return true;
  const auto view = context_.disclosure.bytes(rule, *recorded.event, recorded.sequence, marks);
  if (!view && nothing_to_show(view.error())) return false;
  if (!view) return tl::unexpected(view.error());
  const auto channel = entry.channel() == nullptr ? std::string_view() : entry.channel()->string_view();
  return std::ranges::all_of(asking, [&](const Subscription* one) {
    return matches_view(one->filter, *event::GetEvent(view->data()), channel);
  });
}

Result<void> Courses::look_at(Delivery& delivery, Sequence sequence, Timestamp now) {
  const auto stored = context_.state.body(sequence);
  if (!stored) return tl::unexpected(stored.error());
  if (stored->bytes.empty()) return {};  // it has been erased
  const auto* entry = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
  if (entry == nullptr || entry->event() == nullptr || entry->person() == nullptr) return {};
  const Bytes bytes(entry->event()->begin(), entry->event()->end());
  const auto* event = verified_event(bytes);
  if (event == nullptr) {
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(sequence) + " holds an event that does not verify");
  }
  const auto& subscription = delivery.subscription();
  if (!is_for(subscription, *entry, *event)) return {};
  const auto person = key_from<PersonKey>(*entry->person());
  auto waits = context_.state.pending_of(subscription.name, person, sequence - 1, 1);
  if (!waits) return tl::unexpected(waits.error());
  if (!waits->empty() && waits->front().sequence == sequence) return {};
  auto before = context_.state.was_offered(subscription.name, sequence);
  if (!before) return tl::unexpected(before.error());
  const bool replay = subscription.replay.has_value();
  if (replay ? *before : (!*before && !delivery.course().starting())) return {};
  const auto& policy = context_.disclosure.current();
  const auto& agency = context_.disclosure.agency(subscription.agency);
  const auto at = context_.disclosure.decided_at(now);
  const auto newest = context_.state.head();
  const auto known = known_child(context_.state, person, *event, sequence, entry->mends(), newest, at);
  if (!known) return tl::unexpected(known.error());
  const auto* rule = policy.rule_for(subscription.role, agency, *event, *known, at);
  if (rule == nullptr) {
    delivery.withhold(sequence, policy.version(),
                      policy.why_withheld(subscription.role, agency, *event, *known, at));
    return {};
  }
  const auto shown = is_shown_as_asked(subscription, *rule, *entry, {sequence, {}, person, event, {}},
                                       marks_of(*event, *known));
  if (!shown) return tl::unexpected(shown.error());
  if (!*shown) return {};
  Pending pending;
  pending.sequence = sequence;
  pending.person = person;
  pending.policy_version = policy.version();
  pending.known = newest;
  pending.offered_at = at;
  pending.urgency = urgency_of(*event);
  pending.type = event->type();
  pending.late = entry->mends() != 0 && !replay;
  if (*before) {
    delivery.offer_late(pending, rule->legal_basis);
  } else {
    delivery.offer(pending, nullptr, rule->legal_basis);
  }
  return {};
}

}  // namespace carehub::core
