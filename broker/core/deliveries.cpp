#include "broker/core/deliveries.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/fault.hpp"
#include "broker/core/route.hpp"

namespace carehub::core {

Delivery& Deliveries::add(Subscription subscription, std::string label) {
  auto delivery = std::make_unique<Delivery>(std::move(subscription), std::move(label), context_);
  auto& added = *delivery;
  const bool fresh = by_name_.emplace(added.subscription().name, &added).second;
  CAREHUB_ASSERT(fresh, "a subscription's name is looked up before it is added");
  all_.push_back(std::move(delivery));
  indexed_ = false;
  return added;
}

void Deliveries::remove(const std::string& name) {
  by_name_.erase(name);
  std::erase_if(all_, [&](const auto& delivery) { return delivery->subscription().name == name; });
  indexed_ = false;
}

Delivery* Deliveries::find(const std::string& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Delivery* Deliveries::of_connection(ConnectionId connection, const std::string& label) {
  if (kFault == Fault::takes_an_answer_to_a_replay_for_the_live_one && is_replay_name(label))
    return of_connection(connection, label.substr(0, label.find('/')));
  auto* durable = find(label);
  if (durable != nullptr && (durable->connection() == connection || kFault == Fault::takes_anyones_ack))
    return durable;
  if (kFault == Fault::takes_answers_of_the_connection_before && durable != nullptr &&
      durable->in_flight_on(connection) > 0)
    return durable;
  const auto watch = std::ranges::find_if(all_, [&](const auto& delivery) {
    return delivery->watch() && delivery->connection() == connection && delivery->label() == label;
  });
  if (kFault == Fault::takes_an_answer_under_any_name && watch == all_.end()) {
    const auto any = std::ranges::find_if(
        all_, [&](const auto& delivery) { return delivery->connection() == connection; });
    return any == all_.end() ? nullptr : any->get();
  }
  return watch == all_.end() ? nullptr : watch->get();
}

std::vector<Delivery*> Deliveries::replays_into(const std::string& name) {
  std::vector<Delivery*> found;
  for (const auto& delivery : all_) {
    const auto& replay = delivery->subscription().replay;
    if (replay && replay->subscription == name) found.push_back(delivery.get());
  }
  return found;
}

bool Deliveries::one_in_flight(ConnectionId connection) const {
  std::size_t in_flight = 0;
  for (const auto& delivery : all_) in_flight += delivery->in_flight_on(connection);
  return in_flight == 1;
}

bool Deliveries::one_in_flight(const Delivery& to) const {
  const auto receiver = [](const Delivery& delivery) -> const std::string& {
    const auto& subscription = delivery.subscription();
    return subscription.replay ? subscription.replay->subscription : subscription.name;
  };
  std::size_t in_flight = 0;
  for (const auto& delivery : all_) {
    if (delivery->in_flight() > 0 && receiver(*delivery) == receiver(to)) in_flight += delivery->in_flight();
  }
  return in_flight == 1;
}

void Deliveries::filter_changed() { indexed_ = false; }

void Deliveries::build_index() {
  for (auto& subscribers : by_type_) subscribers.clear();
  for (const auto& delivery : all_) {
    if (delivery->subscription().replay) continue;  // nothing new is ever a replay's
    for (std::size_t type = 0; type < kTypes; ++type) {
      if (may_want(delivery->subscription().filter, static_cast<event::EventType>(type)))
        by_type_[type].push_back(delivery.get());
    }
  }
  indexed_ = true;
}

Result<void> Deliveries::route(const RecordedEvent& recorded) {
  if (!indexed_) build_index();
  const auto& event = *recorded.event;
  const auto& policy = context_.disclosure.current();
  Pending pending;
  pending.sequence = recorded.sequence;
  pending.person = recorded.person;
  pending.policy_version = policy.version();
  const auto at = context_.disclosure.decided_at(recorded.appended_at);
  pending.offered_at = at;
  pending.urgency = urgency_of(event);
  pending.type = event.type();
  std::optional<KnownChild> known;  // read once somebody wants the event
  std::vector<std::pair<const DisclosureRule*, std::shared_ptr<const View>>> views;
  for (auto* delivery : by_type_[static_cast<std::size_t>(event.type())]) {
    const auto& subscription = delivery->subscription();
    // One that has not reached the ledger's end finds it there, in its turn.
    if (delivery->course().starting() && kFault != Fault::starts_out_of_turn) continue;
    if (!matches(subscription.filter, event, recorded.channel)) continue;
    if (!known) {
      auto read = known_child(context_.state, recorded.person, event, recorded.sequence, 0, 0, at);
      if (!read) return tl::unexpected(read.error());
      known = std::move(*read);
    }
    const auto& agency = context_.disclosure.agency(subscription.agency);
    const auto* rule = policy.rule_for(subscription.role, agency, event, *known, at);
    if (rule == nullptr) {
      delivery->withhold(recorded.sequence, policy.version(),
                         policy.why_withheld(subscription.role, agency, event, *known, at));
      continue;
    }
    std::shared_ptr<const View> view;
    const bool by_view = looks_at_view(subscription);
    if (by_view || delivery->connection()) {
      auto made =
          std::find_if(views.begin(), views.end(), [&](const auto& one) { return one.first == rule; });
      if (made == views.end()) {
        auto redacted = context_.disclosure.view(*rule, recorded, marks_of(event, *known));
        if (!redacted && !nothing_to_show(redacted.error())) return tl::unexpected(redacted.error());
        // Without a view the delivery is given up in its turn, on record.
        made = views.emplace(views.end(), rule, redacted ? std::move(*redacted) : nullptr);
      }
      view = made->second;
    }
    if (by_view &&
        (view == nullptr ||
         !matches_view(subscription.filter, *event::GetEvent(view->event.data()), recorded.channel))) {
      continue;
    }
    delivery->offer(pending, std::move(view), rule->legal_basis);
  }
  return {};
}

}  // namespace carehub::core
