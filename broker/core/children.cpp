#include "broker/core/children.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/fault.hpp"

namespace carehub::core {
namespace {

std::uint8_t rank(event::Urgency urgency) {
  if (kFault == Fault::forgets_urgency) return 0;
  switch (urgency) {
    case event::Urgency::emergency: return 0;
    case event::Urgency::urgent: return 1;
    default: return 2;
  }
}

}  // namespace

void Children::add(Waiting waiting) {
  const auto person = waiting.pending.person;
  auto& child = children_[person];
  const auto sequence = waiting.pending.sequence;
  if (child.more_on_disk && sequence > child.disk_after) return;
  const auto place =
      std::lower_bound(child.waiting.begin(), child.waiting.end(), sequence,
                       [](const Waiting& held, Sequence wanted) { return held.pending.sequence < wanted; });
  if (place != child.waiting.end() && place->pending.sequence == sequence) return;
  unqueue(person, child);
  child.waiting.insert(place, std::move(waiting));
  ++held_;
  if (child.waiting.size() > kOfOneChildMax) leave_on_disk(child, kOfOneChildMax);
  queue(person, child);
}

void Children::leave_on_disk(Child& child, std::size_t keep) {
  if (child.waiting.size() <= keep) return;
  const auto from = child.waiting.begin() + static_cast<std::ptrdiff_t>(keep);
  const auto before = from->pending.sequence - 1;
  child.disk_after = child.more_on_disk ? std::min(child.disk_after, before) : before;
  child.more_on_disk = true;
  held_ -= static_cast<std::size_t>(child.waiting.end() - from);
  child.waiting.erase(from, child.waiting.end());
}

void Children::unqueue(const PersonKey& person, Child& child) {
  if (child.turn) ready_.erase(*child.turn);
  if (child.wake_at) parked_.erase({*child.wake_at, person});
  child.turn.reset();
}

void Children::queue(const PersonKey& person, Child& child) {
  if (child.busy || child.waiting.empty()) return;
  if (child.wake_at) {
    parked_.insert({*child.wake_at, person});
    return;
  }
  const auto& [head, suspicion] = std::tie(child.waiting.front().pending, child.waiting.front().suspicion);
  child.turn = Turn{suspicion.suspected() ? suspicion.falls() : 0, rank(head.urgency), head.sequence, person};
  ready_.insert(*child.turn);
}

/// Never of nobody.
std::set<Children::Turn>::const_iterator Children::choose(std::uint64_t acks, bool probe) const {
  constexpr std::size_t kLooked = 64;
  const auto losses = [](const Turn& of) { return std::get<0>(of); };
  auto chosen = ready_.begin();
  if (probe) {
    std::size_t looked = 0;
    const auto attempt = [&](const Turn& of) {
      const auto& head = children_.at(std::get<PersonKey>(of)).waiting.front();
      return head.pending.attempt + (head.left ? 1U : 0U);
    };
    for (auto turn = ready_.begin();
         turn != ready_.end() && looked < kLooked && losses(*turn) == losses(*ready_.begin());
         ++turn, ++looked) {
      if (attempt(*turn) < attempt(*chosen)) chosen = turn;
    }
    return chosen;
  }
  if (losses(*chosen) > 0 || losses(*ready_.rbegin()) == 0) return chosen;
  const auto suspected = ready_.lower_bound(Turn{1, 0, 0, PersonKey{}});
  const auto& [none, urgency, sequence, person] = *suspected;
  const auto& suspicion = children_.at(person).waiting.front().suspicion;
  const bool earlier = Turn{0, urgency, sequence, person} < *chosen;
  return suspicion.others_taken(acks) && earlier ? suspected : chosen;
}

Children::Next Children::next(std::uint64_t acks, bool probe) const {
  if (ready_.empty()) return Next::nobody;
  return std::get<0>(*choose(acks, probe)) == 0 ? Next::ordinary : Next::suspected;
}

std::optional<Waiting> Children::take(std::uint64_t acks, bool probe) {
  if (ready_.empty()) return std::nullopt;
  const auto chosen = choose(acks, probe);
  auto& child = children_.at(std::get<PersonKey>(*chosen));
  ready_.erase(chosen);
  child.turn.reset();
  child.busy = true;
  auto taken = std::move(child.waiting.front());
  child.waiting.pop_front();
  --held_;
  return taken;
}

void Children::settle(Map::iterator found) {
  auto& child = found->second;
  if (!child.waiting.empty()) {
    queue(found->first, child);
  } else if (child.more_on_disk) {
    wanted_.push_back(found->first);
  } else {
    children_.erase(found);
  }
}

void Children::settled(const PersonKey& person) {
  const auto found = children_.find(person);
  CAREHUB_ASSERT(found != children_.end() && found->second.busy, "only a busy child's delivery is settled");
  found->second.busy = false;
  settle(found);
}

void Children::given_back(Waiting waiting, Timestamp not_before, Timestamp now) {
  const auto person = waiting.pending.person;
  const auto found = children_.find(person);
  CAREHUB_ASSERT(found != children_.end() && found->second.busy,
                 "only a busy child's delivery is given back");
  auto& child = found->second;
  child.busy = false;
  child.waiting.push_front(std::move(waiting));
  if (kFault == Fault::lets_the_next_overtake)
    std::rotate(child.waiting.begin(), child.waiting.begin() + 1, child.waiting.end());
  ++held_;
  if (not_before > now && kFault != Fault::retries_before_its_time) {
    child.wake_at = not_before;
    leave_on_disk(child, 1);
  }
  queue(person, child);
}

void Children::wake(Timestamp now) {
  while (!parked_.empty() && parked_.begin()->first <= now) {
    const auto person = parked_.begin()->second;
    auto& child = children_.at(person);
    unqueue(person, child);
    child.wake_at.reset();
    queue(person, child);
  }
}

std::optional<Timestamp> Children::next_wake() const {
  return parked_.empty() ? std::nullopt : std::optional(parked_.begin()->first);
}

std::vector<std::pair<PersonKey, Sequence>> Children::take_wanted() {
  std::vector<std::pair<PersonKey, Sequence>> wanted;
  std::sort(wanted_.begin(), wanted_.end());
  wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
  for (const auto& person : wanted_) {
    const auto found = children_.find(person);
    if (found == children_.end() || found->second.busy || !found->second.waiting.empty()) continue;
    wanted.emplace_back(person, found->second.disk_after);
  }
  wanted_.clear();
  return wanted;
}

void Children::refill(const PersonKey& person, std::vector<Waiting> found, bool more) {
  const auto place = children_.find(person);
  CAREHUB_ASSERT(place != children_.end(), "a child that was wanted is held until it is refilled");
  auto& child = place->second;
  child.more_on_disk = more;
  if (!found.empty()) child.disk_after = found.back().pending.sequence;
  held_ += found.size();
  for (auto& waiting : found) child.waiting.push_back(std::move(waiting));
  settle(place);
}

void Children::trim() {
  for (auto child = children_.begin(); child != children_.end();) {
    CAREHUB_ASSERT(!child->second.busy, "what was in flight is given back before the rest is forgotten");
    const bool sent = !child->second.waiting.empty() && child->second.waiting.front().left;
    if (sent) {
      leave_on_disk(child->second, 1);
      child->second.waiting.front().view.reset();
      // Whatever comes for this child from now on is on disk behind its head.
      if (!child->second.more_on_disk) {
        child->second.more_on_disk = true;
        child->second.disk_after = child->second.waiting.front().pending.sequence;
      }
      ++child;
    } else {
      unqueue(child->first, child->second);
      held_ -= child->second.waiting.size();
      child = children_.erase(child);
    }
  }
  wanted_.clear();
}

void Children::forget(const PersonKey& person) {
  const auto found = children_.find(person);
  if (found == children_.end()) return;
  unqueue(person, found->second);
  held_ -= found->second.waiting.size();
  children_.erase(found);
  std::erase(wanted_, person);
}

bool Children::has_head(const PersonKey& person, Sequence sequence) const {
  const auto found = children_.find(person);
  if (found == children_.end() || found->second.busy || found->second.waiting.empty()) return false;
  return found->second.waiting.front().pending.sequence == sequence;
}

void Children::drop_head(const PersonKey& person) {
  const auto found = children_.find(person);
  CAREHUB_ASSERT(found != children_.end() && !found->second.waiting.empty(), "the head was looked up before");
  unqueue(person, found->second);
  found->second.wake_at.reset();
  found->second.waiting.pop_front();
  --held_;
  settle(found);
}

}  // namespace carehub::core
