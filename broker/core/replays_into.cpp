#include "broker/core/replays_into.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/fault.hpp"
#include "broker/core/replay_span.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

bool too_long(std::initializer_list<const flatbuffers::String*> texts) {
  return std::any_of(texts.begin(), texts.end(), [](const flatbuffers::String* text) {
    return text != nullptr && text->size() > limits::kErrorTextBytesMax;
  });
}

std::string counts_text(const ReplayCounts& counts) {
  return "offered " + std::to_string(counts.offered) + ", taken " + std::to_string(counts.taken) +
         ", withheld " + std::to_string(counts.withheld) + ", skipped " + std::to_string(counts.skipped) +
         ", dead letters " + std::to_string(counts.dead_letters);
}

}  // namespace

std::optional<ReplaysInto::Refusal> ReplaysInto::refusal(const Peer& peer, const wire::Replay& frame) {
  if (!peer.is_operator)
    return Refusal{ErrorKind::denied, "only an operator's connection replays into a subscription"};
  if (too_long({frame.into(), frame.person(), frame.by(), frame.reason()}) ||
      (frame.filter() != nullptr && unpacked_bytes(*frame.filter()) > limits::kFilterBytesMax)) {
    return Refusal{ErrorKind::invalid,
                   "a text of the replay is longer than " + std::to_string(limits::kErrorTextBytesMax) +
                       " bytes, or its filter than " + std::to_string(limits::kFilterBytesMax)};
  }
  if (beyond_all_years({frame.first_at(), frame.last_at()}))
    return Refusal{ErrorKind::invalid, kBeyondAllYears};
  if (text_of(frame.reason()).empty()) return Refusal{ErrorKind::invalid, "say the reason: it is recorded"};
  const auto into = text_of(frame.into());
  const auto* target = deliveries_.find(into);
  if (target == nullptr || target->watch() || target->subscription().replay)
    return Refusal{ErrorKind::not_found, "there is no durable subscription of this name"};
  if (target->subscription().notice && !frame.raise_notices()) {
    return Refusal{ErrorKind::conflict,
                   "it sends notices to people, and a replay would raise them again: ask for that by name "
                   "(--raise-notices) if you mean it"};
  }
  const auto active = std::ranges::count_if(
      deliveries_.all(), [](const auto& one) { return one->subscription().replay.has_value(); });
  if (static_cast<std::size_t>(active) >= kActiveMax ||
      deliveries_.replays_into(into).size() >= kOfOneActiveMax ||
      deliveries_.size() >= limits::kSubscriptionsMax) {
    return Refusal{ErrorKind::overloaded, "there are " + std::to_string(kOfOneActiveMax) +
                                              " replays at a time into one subscription and " +
                                              std::to_string(kActiveMax) +
                                              " in all: wait for one to end, or remove one"};
  }
  return std::nullopt;
}

Result<tl::expected<Subscription, ReplaysInto::Refusal>> ReplaysInto::read(const wire::Replay& frame,
                                                                           Sequence head) {
  using Read = tl::expected<Subscription, Refusal>;
  const auto& target = deliveries_.find(text_of(frame.into()))->subscription();
  ReplayInto replay;
  replay.subscription = target.name;
  replay.raise_notices = frame.raise_notices();
  if (frame.person() != nullptr && frame.person()->size() > 0) {
    auto person = person_named(context_.state, context_.index_key, frame.person()->str());
    if (!person) return tl::unexpected(person.error());
    if (!*person)
      return Read(tl::unexpected(Refusal{ErrorKind::not_found, "the hub knows nobody by this identifier"}));
    replay.person = *person;
  }
  auto span = replay_span(context_.state, head, frame);
  if (!span) return tl::unexpected(span.error());
  if (!*span)
    return Read(tl::unexpected(Refusal{ErrorKind::invalid, "no entry of the ledger lies in this span"}));
  replay.first = (*span)->first;
  replay.last = (*span)->last;
  Subscription made;
  made.name = replay_name(target.name, head + 1);
  made.agency = target.agency;
  made.role = target.role;
  made.retry = target.retry;
  made.rate_per_minute = frame.rate_per_minute() == 0 ? kRateUsual : frame.rate_per_minute();
  if (frame.filter() != nullptr) frame.filter()->UnPackTo(&made.filter);
  made.replay = std::move(replay);
  return Read(std::move(made));
}

Result<void> ReplaysInto::start(const Peer& peer, const wire::Replay& frame, Sequence head, Timestamp now,
                                Decision& out) {
  const auto refuse = [&](const Refusal& why) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), why.kind, why.text, 0)});
    Wish wish{"replay", {}, frame.by(), frame.reason()};
    wish.what.add("into", text_of(frame.into()));
    return refused_.add(peer, std::move(wish), why.text, now);
  };
  if (const auto why = refusal(peer, frame)) return refuse(*why);
  auto made = read(frame, head);
  if (!made) return tl::unexpected(made.error());
  if (!*made) return refuse(made->error());
  auto label = (*made)->name;
  auto& delivery = deliveries_.add(std::move(**made), std::move(label));
  const auto& subscription = delivery.subscription();
  SubscriptionRecord record{subscription, ledger::SubscriptionChange::created,
                            asker(peer, text_of(frame.by())), text_of(frame.reason()),
                            subscription.replay->first};
  auto recorded = record_change(context_, record, now);
  if (!recorded) return tl::unexpected(recorded.error());
  CAREHUB_ASSERT(subscription.name == replay_name(subscription.replay->subscription, *recorded),
                 "a replay is named by the entry that makes it");
  delivery.follow({record.change, record.start, subscription.replay->last, false, now});
  auto& target = *deliveries_.find(subscription.replay->subscription);
  delivery.share_rate(target);
  if (const auto connection = target.connection()) delivery.attach(*connection, kCredit, 0, now);
  out.sends.push_back(
      {peer.connection, handled_frame(frame.number(), std::nullopt, "", *recorded, subscription.name)});
  return {};
}

Result<Sequence> ReplaysInto::stop(Delivery& replay, SubscriptionRecord record, Sequence head,
                                   Timestamp now) {
  if (auto written = replay.write_records(now); !written) return tl::unexpected(written.error());
  const auto& subscription = replay.subscription();
  auto waits = context_.state.pending(subscription.name, 0, 1);
  if (!waits) return tl::unexpected(waits.error());
  if (!waits->empty()) {
    auto skipped = record;
    skipped.change = ledger::SubscriptionChange::skipped;
    skipped.start = 1;
    // What was mended for it stands behind all that it replays.
    skipped.through = std::max(head, subscription.replay->last);
    if (auto recorded = record_change(context_, skipped, now); !recorded) return recorded;
  }
  auto counts = context_.state.replay_counts(subscription.name);
  if (!counts) return tl::unexpected(counts.error());
  record.change = ledger::SubscriptionChange::removed;
  record.reason += (record.reason.empty() ? "" : "; ") + counts_text(*counts);
  auto recorded = record_change(context_, record, now);
  if (recorded) deliveries_.remove(std::string(subscription.name));
  return recorded;
}

Result<void> ReplaysInto::end_done(Sequence head, Timestamp now) {
  std::vector<Delivery*> idle;
  for (const auto& delivery : deliveries_.all()) {
    const bool moving = delivery->course().moving() && kFault != Fault::ends_a_replay_early;
    if (delivery->subscription().replay && !moving && delivery->idle()) idle.push_back(delivery.get());
  }
  for (auto* replay : idle) {
    const auto& name = replay->subscription().name;
    auto waits = context_.state.pending(name, 0, 1);
    if (!waits) return tl::unexpected(waits.error());
    auto counts = context_.state.replay_counts(name);
    if (!counts) return tl::unexpected(counts.error());
    // What was given up is an operator's to send again or to discard first.
    if (!waits->empty() || counts->dead_letters > 0) continue;
    auto ended =
        stop(*replay, {replay->subscription(), ledger::SubscriptionChange::removed, kByHub}, head, now);
    if (!ended) return tl::unexpected(ended.error());
  }
  return {};
}

}  // namespace carehub::core
