#include "broker/base/ledger_keys.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/model.hpp"

// Replays into subscriptions, as broker/README.md says of them: each is a stream of its own, with lines,
// credit and rate of its own, and the live one does not notice it.

namespace carehub::simulation {
namespace {

using ledger::SubscriptionChange;

constexpr std::uint64_t kCredit = 16;
constexpr std::uint32_t kRateUsual = 600;
constexpr std::size_t kAheadMax = 256;
constexpr int kOfOneMax = 2;
constexpr Sequence kLookedAtMax = 1024 + 2 * 4096;  // entries a step
constexpr const char* kHub = "hub";

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

std::string named(const Interest& interest, Sequence at) {
  return std::string(interest.name) + ", entry " + std::to_string(at);
}

}  // namespace

const Interest* Model::interest_of(const std::string& name) const {
  if (const Interest* interest = interest_named(name)) return interest;
  const auto found = replays_into_.find(name);
  return found == replays_into_.end() ? nullptr : &found->second.interest;
}

std::vector<const Interest*> Model::replays() const {
  std::vector<const Interest*> going_on;
  for (const auto& [name, replay] : replays_into_) {
    if (!replay.over) going_on.push_back(&replay.interest);
  }
  return going_on;
}

std::vector<const Interest*> Model::every_replay() const {
  std::vector<const Interest*> all;
  for (const auto& [name, replay] : replays_into_) all.push_back(&replay.interest);
  return all;
}

bool Model::waits_for_ever(const Interest& replay) const {
  const Book& book = book_for(replay);
  return open(replay) > 0 && std::all_of(book.open.begin(), book.open.end(), [&](const auto& child) {
           return child.second.empty() ||
                  book.lines.at(*child.second.begin()).publication->taste[replay.number] != Taste::good;
         });
}

void Model::outage(const Interest& interest) {
  ++books_[interest.number].outages;
  for (auto& [name, replay] : replays_into_) {
    if (replay.into == interest.number) ++replay.book.outages;
  }
}

void Model::took_replay_into(const wire::Replay& frame) {
  AskReplayInto ask;
  ask.into = text_of(frame.into());
  ask.wants = wants_of(frame.filter());
  for (int child = 1; child <= kChildren; ++child) {
    if (text_of(frame.person()) == "nhs:" + fakes::test_nhs_number(child)) ask.child = child;
  }
  ask.first = frame.first();
  ask.last = frame.last();
  ask.first_at = frame.first_at();
  ask.rate_per_minute = frame.rate_per_minute();
  asks_into_[text_of(frame.reason())] = ask;
}

/// Whoever holds a subscription is sent what is replayed into it, so many before it returns any.
void Model::attach_replays(Connection& connection, const std::string& name) {
  for (const auto& [each, replay] : replays_into_) {
    if (replay.over || name != interests()[replay.into].name) continue;
    Attachment& attachment = connection.attachments[each];
    attachment.subscribed = true;
    attachment.since = read_through_;
    attachment.credit = kCredit + attachment.early;
    attachment.sent = 0;
    if (connection.attachments[name].wishes.empty()) attachment.early = 0;
    attachment.in_flight.clear();
    attachment.shown.clear();
  }
}

void Model::taken_over(Connection& connection, const std::string& name) {
  session_lost(connection, name, true);
  connection.attachments[name].subscribed = false;
  for (const auto& [each, replay] : replays_into_) {
    if (name != interests()[replay.into].name) continue;
    session_lost(connection, each, true);
    connection.attachments[each].subscribed = false;
  }
}

bool Model::is_replays_turn(const Interest& interest, const wire::Delivery& delivery) {
  const std::string what = named(interest, delivery.sequence());
  if (delivery.replay() != interest.replay) {
    broken("only a replay is marked as one", what);
  } else if (interest.replay && books_[interest.number].paused) {
    broken("a replay is held while its subscription is paused", what);
  } else if (interest.replay && replays_into_.at(interest.name).over) {
    broken("a replay that has ended sends nothing", what);
  }
  return !verdict_.failed();
}

/// What was asked for, of what its subscription wants, as its role may see it today.
Due Model::due(const ReplayInto& replay, Sequence sequence, Sequence through) const {
  const Kept& kept = kept_.at(sequence);
  if (kept.erased != 0) return Due::nothing;
  if (replay.person && kept.person != *replay.person) return Due::nothing;
  if (!matches(replay.wants, *kept.publication)) return Due::nothing;
  return due(interests()[replay.into], sequence, through);
}

void Model::replay_offers(Sequence at, ReplayInto& replay, Sequence sequence, const ledger::Offered& entry) {
  Book& book = replay.book;
  const std::string what = std::string(replay.interest.name) + ", event " + std::to_string(sequence) +
                           ", in entry " + std::to_string(at);
  if (!kept_.contains(sequence) || replay.over) return broken("what is offered is an event", what);
  if (is_erased(sequence, what)) return;
  const auto line = book.lines.find(sequence);
  const bool before = line != book.lines.end() && line->second.attempt > 0;
  bool after_gap = false;
  if (book.sent_again.erase(sequence) > 0) {
    if (!line->second.dead || !entry.late() || entry.policy_version() != line->second.policy)
      return broken("a dead letter that is sent again is late, under its policy of then", what);
    if (entry.known() >= at || refused(sequence, entry.known()))
      return broken("a dead letter is sent again only while consent lets it", what);
  } else {
    if (before || entry.late() || !looks_at(book, sequence))
      return broken("a replay offers each event once, and moves on", what);
    if (entry.known() >= at || due(replay, sequence, entry.known()) != Due::offered ||
        entry.policy_version() != policies_.rbegin()->first)
      return broken("a replay shows what was asked for, as filter and policy are now", what);
    after_gap = book.gap_waits.erase(kept_.at(sequence).publication->child) > 0;
  }
  begin_life(at, book, sequence, entry);
  book.lines.at(sequence).after_gap = after_gap;
  if (open(replay.interest) > kAheadMax)
    broken("a replay offers no more ahead than its receiver may take", what);
}

void Model::read_replay_changed(Sequence at, const ledger::SubscriptionChanged& entry) {
  const std::string name = text_of(entry.name());
  const std::string by = text_of(entry.by());
  verdict_.tell("ledger: " + name + ", entry " + std::to_string(at) + ": " +
                ledger::EnumNameSubscriptionChange(entry.change()) + " by " + by + ", from " +
                std::to_string(entry.start()) + " through " + std::to_string(entry.through()));
  if (by == kOperatorsName) operators_entries_.insert(at);
  if (entry.change() == SubscriptionChange::created) return replay_created(at, entry);
  const auto found = replays_into_.find(name);
  if (found == replays_into_.end() || found->second.over)
    return broken("only a replay that goes on changes", name);
  ReplayInto& replay = found->second;
  switch (entry.change()) {
    case SubscriptionChange::paused:
    case SubscriptionChange::resumed: {
      const bool paused = entry.change() == SubscriptionChange::paused;
      if (by != kOperatorsName || paused == replay.book.paused)
        broken("only an operator pauses a replay, and resumes what is paused", name + " by " + by);
      replay.book.paused = paused;
      return;
    }
    case SubscriptionChange::advanced: return replay_advanced(at, replay, entry);
    case SubscriptionChange::skipped: return replay_skipped(at, replay, entry);
    case SubscriptionChange::removed: return replay_removed(replay, by);
    default: return broken("a change of a replay is one that is known", name);
  }
}

void Model::replay_created(Sequence at, const ledger::SubscriptionChanged& entry) {
  const std::string name = text_of(entry.name());
  const Interest* into = interest_named(text_of(entry.replay_of()));
  const auto ask = asks_into_.find(text_of(entry.reason()));
  if (text_of(entry.by()) != kOperatorsName || ask == asks_into_.end())
    return broken("only an operator replays into a subscription, with a reason", name);
  if (into == nullptr || !exists(*into) || ask->second.into != into->name ||
      name != std::string(into->name) + "/replay-" + std::to_string(at) ||
      text_of(entry.agency()) != into->reader.agency || text_of(entry.role()) != into->reader.role)
    return broken("a replay is its subscription's reader's, named by the entry that makes it", name);
  const Sequence head = at - 1;
  Sequence first = std::max<Sequence>(ask->second.first, 1);
  if (ask->second.first_at != 0) first = std::max(first, first_since(ask->second.first_at, head));
  const Sequence last = ask->second.last == 0 ? head : std::min(head, ask->second.last);
  const std::uint32_t rate = ask->second.rate_per_minute == 0 ? kRateUsual : ask->second.rate_per_minute;
  if (entry.start() != first || entry.last() != last || entry.rate_per_minute() != rate ||
      (entry.person() != nullptr) != (ask->second.child != 0) ||
      wants_of(entry.filter()) != ask->second.wants)
    return broken("a replay is recorded with what was asked for before it starts", name);
  const auto going_on = replays();
  if (std::count_if(going_on.begin(), going_on.end(),
                    [&](const Interest* each) { return each->number == into->number; }) >= kOfOneMax)
    return broken("few replays at a time go into one subscription", name);
  const auto place = replays_into_.try_emplace(name).first;
  ReplayInto& replay = place->second;
  replay.interest = *into;
  replay.interest.name = place->first.c_str();
  replay.interest.replay = true;
  replay.into = into->number;
  replay.wants = ask->second.wants;
  replay.rate_per_minute = rate;
  if (entry.person() != nullptr) replay.person = key_from<PersonKey>(*entry.person());
  replay.book.since = replay.book.moved_at = at;
  replay.book.configured = books_[into->number].configured;
  replay.book.next = first;
  replay.book.through = last;
  for (auto& [serial, connection] : connections_) {
    const auto live = connection.attachments.find(into->name);
    if (live == connection.attachments.end() || !live->second.subscribed) continue;
    Attachment& attachment = connection.attachments[name];
    attachment.subscribed = true;
    attachment.since = at;
    attachment.credit = kCredit;
  }
}

void Model::replay_advanced(Sequence at, ReplayInto& replay, const ledger::SubscriptionChanged& entry) {
  Book& book = replay.book;
  const std::string what = named(replay.interest, at);
  const Sequence from = book.next;
  if (from == 0) return broken("only what is behind its end comes nearer to it", what);
  const Sequence until = entry.start() == 0 ? book.through + 1 : entry.start();
  if (until < from || until > book.through + 1 || until - from > kLookedAtMax)
    return broken("each step brings a replay nearer to its end, by a bounded part", what);
  for (auto kept = kept_.lower_bound(from); kept != kept_.end() && kept->first < until; ++kept) {
    const auto line = book.lines.find(kept->first);
    if (line != book.lines.end() && line->second.attempt > 0) continue;
    const auto left_out = [&](Sequence through) {
      const Due decided = due(replay, kept->first, through);
      return decided == Due::offered || (decided == Due::withheld && !book.withheld.contains(kept->first));
    };
    if (std::ranges::all_of(decisions_since(book.since, kept->first), left_out))
      return broken("a replay leaves nothing out", what + ", event " + std::to_string(kept->first));
  }
  book.next = entry.start();
}

/// What waits for one that an operator, or hub.toml, ends.
void Model::replay_skipped(Sequence at, ReplayInto& replay, const ledger::SubscriptionChanged& entry) {
  if (text_of(entry.by()) == kHub || entry.start() > 1 || entry.through() < replay.book.through)
    return broken("what waits for a replay is skipped only when it is ended", named(replay.interest, at));
  Book& book = replay.book;
  for (auto& [child, sequences] : book.open) {
    const auto waiting = sequences;
    for (const Sequence sequence : waiting) {
      settle(at, book, book.lines.at(sequence), sequence);
      book.lines.at(sequence).skipped = true;
    }
  }
  replay.stops = true;
}

void Model::replay_removed(ReplayInto& replay, const std::string& by) {
  const Book& book = replay.book;
  const std::string name = replay.interest.name;
  if (open(replay.interest) > 0)
    return broken("a replay ends with nothing waiting for it", describe_open(replay.interest));
  if (by == kHub) {
    const bool dead = std::any_of(book.lines.begin(), book.lines.end(), [](const auto& line) {
      return line.second.dead && !line.second.discarded;
    });
    if (book.next != 0 || dead)
      return broken("a replay ends by itself once all of it is settled",
                    name + " at " + std::to_string(book.next));
  } else if (by == kConfiguration) {
    if (exists(interests()[replay.into]))
      return broken("a replay ends at the start only without what it goes into", name);
  } else if (by != kOperatorsName) {
    return broken("only an operator ends a replay", name + " by " + by);
  }
  replay.over = true;
  replay.stops = false;
}

/// At the end of a batch.
void Model::check_replays() {
  for (const auto& [name, replay] : replays_into_) {
    if (replay.over) continue;
    if (replay.stops) broken("what waits for a replay is skipped only when it is ended", name);
    if (!exists(interests()[replay.into])) broken("a replay goes into a subscription that is there", name);
  }
}

}  // namespace carehub::simulation
