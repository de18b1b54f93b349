#include "broker/core/subscribers.hpp"

#include <algorithm>
#include <set>

#include "broker/base/names.hpp"
#include "broker/core/replays_into.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

bool same_filter(const ledger::FilterT& left, const ledger::FilterT& right) {
  return filter_bytes(left) == filter_bytes(right);
}

std::string short_text(const flatbuffers::String* text) {
  return text == nullptr ? std::string() : std::string(text->string_view().substr(0, limits::kNameBytesMax));
}

}  // namespace

Result<void> Subscribers::record(const Subscription& subscription, ledger::SubscriptionChange change,
                                 const std::string& by, Timestamp now) {
  auto recorded = record_change(context_, {subscription, change, by}, now);
  if (!recorded) return tl::unexpected(recorded.error());
  return {};
}

/// Where it starts is decided once, here.
Result<void> Subscribers::record_first(const Subscription& subscription, Sequence head, Course& course,
                                       Timestamp now) {
  Sequence start = 0;
  switch (subscription.start.kind) {
    case StartAt::Kind::now: break;
    case StartAt::Kind::beginning: start = 1; break;
    case StartAt::Kind::sequence: start = subscription.start.sequence; break;
    case StartAt::Kind::time: {
      auto since = first_entry_since(context_.state, head, {subscription.start.at_us});
      if (!since) return tl::unexpected(since.error());
      start = *since <= head ? *since : 0;
      break;
    }
  }
  SubscriptionRecord record{subscription, ledger::SubscriptionChange::created, kByConfiguration};
  record.start = start;
  if (auto recorded = record_change(context_, record, now); !recorded) {
    return tl::unexpected(recorded.error());
  }
  apply({record.change, start, 0, true, now}, course);
  return {};
}

Result<void> Subscribers::configure(const std::vector<Subscription>& configured, EngineState known_state,
                                    Timestamp now) {
  former_ = std::move(known_state.former);
  auto& recorded = known_state.subscriptions;
  auto& courses = known_state.courses;
  std::set<std::string> names;
  for (auto subscription : configured) {
    subscription.durable = true;
    subscription.configured = true;
    if (!names.insert(subscription.name).second) {
      return fail(ErrorKind::invalid,
                  "subscription " + subscription.name + " is configured twice: name it anew");
    }
    const auto known = std::find_if(recorded.begin(), recorded.end(),
                                    [&](const auto& one) { return one.name == subscription.name; });
    const auto* before = known == recorded.end() ? former(subscription.name) : nullptr;
    if (before != nullptr && (before->agency != subscription.agency || before->role != subscription.role)) {
      // What it left behind was decided for another reader.
      return fail(ErrorKind::invalid, "subscription " + subscription.name + " was once " + before->agency +
                                          "'s as " + before->role + ": give the new one a new name");
    }
    auto& course = courses[subscription.name];
    if (known == recorded.end() && before == nullptr) {
      if (auto done = record_first(subscription, known_state.head, course, now); !done) return done;
    } else if (known == recorded.end()) {
      if (auto done = record(subscription, ledger::SubscriptionChange::created, kByConfiguration, now); !done)
        return done;
    } else if (known->agency != subscription.agency || known->role != subscription.role) {
      // What waits was decided for another reader.
      return fail(ErrorKind::invalid, "subscription " + subscription.name + " was " + known->agency +
                                          "'s as " + known->role + ": give the changed one a new name");
    } else if (!known->configured || !same_filter(known->filter, subscription.filter)) {
      if (auto done = record(subscription, ledger::SubscriptionChange::changed, kByConfiguration, now); !done)
        return done;
    }
    auto label = subscription.name;
    deliveries_.add(std::move(subscription), std::move(label)).take_course(course);
  }
  for (auto& subscription : recorded) {
    if (names.contains(subscription.name) || subscription.replay) continue;
    if (subscription.configured) {
      if (auto done = record(subscription, ledger::SubscriptionChange::removed, kByConfiguration, now); !done)
        return done;
      former_.push_back({subscription.name, subscription.agency, subscription.role});
      continue;
    }
    auto label = subscription.name;
    const auto course = courses[label];
    deliveries_.add(std::move(subscription), std::move(label)).take_course(course);
  }
  for (auto& subscription : recorded) {
    if (!subscription.replay) continue;
    const auto course = courses[subscription.name];
    if (auto added = add_replay(std::move(subscription), course, known_state.head, now); !added) return added;
  }
  std::ranges::sort(former_, {}, &EngineState::FormerSubscription::name);
  return {};
}

/// It goes on where it was, unless the configuration has taken away what it went into.
Result<void> Subscribers::add_replay(Subscription replay, const Course& course, Sequence head,
                                     Timestamp now) {
  auto* target = deliveries_.find(replay.replay->subscription);
  const char* why = target == nullptr ? "the subscription that it went into is not there any more"
                    : target->subscription().notice && !replay.replay->raise_notices
                        ? "what it went into sends notices now, and nobody has asked to raise them"
                        : nullptr;
  if (target != nullptr) replay.retry = target->subscription().retry;
  auto label = replay.name;
  auto& delivery = deliveries_.add(std::move(replay), std::move(label));
  delivery.take_course(course);
  if (target != nullptr) delivery.share_rate(*target);
  if (why == nullptr) return {};
  auto stopped = replays_.stop(
      delivery, {delivery.subscription(), ledger::SubscriptionChange::removed, kByConfiguration, why}, head,
      now);
  if (!stopped) return tl::unexpected(stopped.error());
  return {};
}

const EngineState::FormerSubscription* Subscribers::former(const std::string& name) const {
  const auto found = std::ranges::lower_bound(former_, name, {}, &EngineState::FormerSubscription::name);
  return found == former_.end() || found->name != name ? nullptr : &*found;
}

void Subscribers::removed(const Subscription& subscription) {
  former_.push_back({subscription.name, subscription.agency, subscription.role});
  std::ranges::sort(former_, {}, &EngineState::FormerSubscription::name);
}

std::optional<Subscribers::Refusal> Subscribers::refusal(const wire::SubscribeT& wanted) {
  if (!is_plain_name(wanted.name)) {
    return Refusal{ErrorKind::invalid, "a subscription's name has 1 to " +
                                           std::to_string(limits::kNameBytesMax) +
                                           " letters, digits and - _ . with no - or . in front"};
  }
  if (!wanted.filter) return std::nullopt;
  if (filter_bytes(*wanted.filter).size() > limits::kFilterBytesMax) {
    return Refusal{ErrorKind::invalid,
                   "the filter is larger than " + std::to_string(limits::kFilterBytesMax) + " bytes"};
  }
  return std::nullopt;
}

Result<void> Subscribers::subscribe(const Peer& peer, const wire::Subscribe& frame, Sequence head,
                                    Timestamp now, Decision& out) {
  if (frame.filter() != nullptr && unpacked_bytes(*frame.filter()) > limits::kFilterBytesMax) {
    out.sends.push_back(
        {peer.connection,
         rejected_frame(ErrorKind::invalid, "subscription " + short_text(frame.name()) +
                                                ": the filter is larger than " +
                                                std::to_string(limits::kFilterBytesMax) + " bytes")});
    return {};
  }
  wire::SubscribeT wanted;
  frame.UnPackTo(&wanted);
  const auto refuse = [&](const Refusal& why) {
    out.sends.push_back(
        {peer.connection, rejected_frame(why.kind, "subscription " + wanted.name + ": " + why.text)});
    return Result<void>();
  };
  if (const auto why = refusal(wanted)) {
    wanted.name.resize(std::min(wanted.name.size(), limits::kNameBytesMax));
    return refuse(*why);
  }
  const auto* existing = wanted.durable ? deliveries_.find(wanted.name) : nullptr;
  if (existing == nullptr) {
    const auto& roles = context_.disclosure.agency(peer.agency).roles;
    const bool may = peer.is_operator ? context_.disclosure.current().has_role(wanted.role)
                                      : std::find(roles.begin(), roles.end(), wanted.role) != roles.end();
    if (!may) return refuse({ErrorKind::denied, "the connection's agency may not subscribe in this role"});
    if (deliveries_.size() >= limits::kSubscriptionsMax) {
      return refuse({ErrorKind::overloaded, "the hub has as many subscriptions as it takes"});
    }
  }
  if (wanted.durable) {
    auto refused = attach_durable(peer, wanted, now, out);
    if (!refused) return tl::unexpected(refused.error());
    if (*refused) return refuse(**refused);
  } else {
    const auto name = watch_name(peer, wanted.name);
    if (deliveries_.find(name) != nullptr) deliveries_.remove(name);
    Subscription watch;
    watch.name = name;
    watch.agency = peer.agency;
    watch.role = wanted.role;
    if (wanted.filter) watch.filter = *wanted.filter;
    watch.durable = false;
    deliveries_.add(std::move(watch), wanted.name)
        .attach(peer.connection, wanted.credit, wanted.rate_per_minute, now);
  }
  out.sends.push_back({peer.connection, subscribed_frame(wanted.name, head)});
  return {};
}

Result<std::optional<Subscribers::Refusal>> Subscribers::creation_refusal(const Subscription& wanted) {
  const auto made = std::ranges::count_if(deliveries_.all(), [&](const auto& delivery) {
    const auto& one = delivery->subscription();
    return one.durable && !one.configured && !one.replay && one.agency == wanted.agency;
  });
  if (static_cast<std::size_t>(made) >= limits::kClientSubscriptionsMax) {
    return std::optional(Refusal{ErrorKind::overloaded, "the agency's clients have made " +
                                                            std::to_string(limits::kClientSubscriptionsMax) +
                                                            " subscriptions already: use one of them"});
  }
  const auto* before = former(wanted.name);
  if (before != nullptr && (before->agency != wanted.agency || before->role != wanted.role)) {
    return std::optional(
        Refusal{ErrorKind::conflict,
                "a removed subscription of another reader had this name: subscribe under a new name"});
  }
  // A removed subscription's deliveries were decided for its reader; only the configuration puts it back.
  auto left = context_.state.pending(wanted.name, 0, 1);
  if (!left) return tl::unexpected(left.error());
  if (left->empty()) return std::optional<Refusal>();
  return std::optional(
      Refusal{ErrorKind::conflict,
              "deliveries of a removed subscription wait under this name: subscribe under a new name"});
}

Result<std::optional<Subscribers::Refusal>> Subscribers::attach_durable(const Peer& peer,
                                                                        const wire::SubscribeT& wanted,
                                                                        Timestamp now, Decision& out) {
  auto* delivery = deliveries_.find(wanted.name);
  const auto by = peer.client.empty() ? std::string("client") : "client " + peer.client;
  if (delivery == nullptr) {
    Subscription subscription;
    subscription.name = wanted.name;
    subscription.agency = peer.agency;
    subscription.role = wanted.role;
    auto refused = creation_refusal(subscription);
    if (!refused || *refused) return refused;
    if (wanted.filter) subscription.filter = *wanted.filter;
    if (auto done = record(subscription, ledger::SubscriptionChange::created, by, now); !done) {
      return tl::unexpected(done.error());
    }
    delivery = &deliveries_.add(std::move(subscription), wanted.name);
  }
  const auto& known = delivery->subscription();
  if (known.agency != peer.agency && !peer.is_operator) {
    return std::optional(Refusal{ErrorKind::denied, "it is another agency's"});
  }
  const auto& roles = context_.disclosure.agency(known.agency).roles;
  if (!peer.is_operator && std::find(roles.begin(), roles.end(), known.role) == roles.end()) {
    return std::optional(Refusal{ErrorKind::denied, "its agency has lost the role that it was made in"});
  }
  if (!wanted.role.empty() && wanted.role != known.role) {
    return std::optional(
        Refusal{ErrorKind::conflict, "it was made in another role: subscribe under a new name"});
  }
  if (!known.configured && wanted.filter && !same_filter(known.filter, *wanted.filter)) {
    delivery->change_filter(*wanted.filter);
    deliveries_.filter_changed();
    if (auto done = record(known, ledger::SubscriptionChange::changed, by, now); !done) {
      return tl::unexpected(done.error());
    }
  }
  const auto before = delivery->connection();
  if (before && *before != peer.connection) {
    out.sends.push_back(
        {*before, rejected_frame(ErrorKind::conflict,
                                 "subscription " + wanted.name + ": a newer connection has taken it over",
                                 false, 0, wanted.name)});
    delivery->lose(deliveries_.one_in_flight(*before), now);
  }
  delivery->attach(peer.connection, wanted.credit, wanted.rate_per_minute, now);
  for (auto* replay : deliveries_.replays_into(wanted.name))
    replay->attach(peer.connection, ReplaysInto::kCredit, wanted.rate_per_minute, now);
  return std::optional<Refusal>();
}

void Subscribers::unsubscribe(const Peer& peer, const wire::Unsubscribe& frame, Timestamp now,
                              Decision& out) {
  const auto name = frame.name() == nullptr ? std::string() : frame.name()->str();
  auto* delivery = deliveries_.of_connection(peer.connection, name);
  if (delivery == nullptr) {
    out.sends.push_back(
        {peer.connection, rejected_frame(ErrorKind::not_found, "no such subscription is this connection's")});
    return;
  }
  delivery->detach(now);
  for (auto* replay : deliveries_.replays_into(delivery->subscription().name)) replay->detach(now);
  if (delivery->watch()) deliveries_.remove(delivery->subscription().name);
}

}  // namespace carehub::core
