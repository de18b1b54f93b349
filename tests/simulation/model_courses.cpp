#include "tests/simulation/model.hpp"

// What becomes of a subscription, as broker/README.md says under "What operators do to a subscription".

namespace carehub::simulation {
namespace {

using ledger::SubscriptionChange;

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

std::string named(const Interest& interest, Sequence at) {
  return std::string(interest.name) + ", entry " + std::to_string(at);
}

constexpr Sequence kLookedAtMax = 1024 + 2 * 4096;  // entries a step

bool by_operator(SubscriptionChange change) {
  return change == SubscriptionChange::paused || change == SubscriptionChange::resumed ||
         change == SubscriptionChange::cursor_reset;
}

}  // namespace

void Model::read_changed(Sequence at, const ledger::SubscriptionChanged& entry) {
  if (entry.replay_of() != nullptr && entry.replay_of()->size() > 0) return read_replay_changed(at, entry);
  const Interest* interest = interest_named(text_of(entry.name()));
  if (interest == nullptr || text_of(entry.agency()) != interest->reader.agency ||
      text_of(entry.role()) != interest->reader.role)
    return broken("nobody takes another's subscription", text_of(entry.name()));
  Book& book = books_[interest->number];
  const std::string by = text_of(entry.by());
  verdict_.tell("ledger: " + named(*interest, at) + ": " +
                ledger::EnumNameSubscriptionChange(entry.change()) + " by " + by + ", from " +
                std::to_string(entry.start()) + " through " + std::to_string(entry.through()));
  if (by_operator(entry.change()) && by != kOperatorsName)
    return broken("only an operator changes a subscription", named(*interest, at) + " by " + by);
  if (by == kOperatorsName) operators_entries_.insert(at);
  if (entry.change() == SubscriptionChange::created) return subscription_created(at, *interest, entry);
  if (book.since == 0) return broken("only a subscription that is there changes", named(*interest, at));
  switch (entry.change()) {
    case SubscriptionChange::changed:
      book.configured = book.configured || by == kConfiguration;
      book.wants = wants_of(entry.filter());
      return;
    case SubscriptionChange::removed: return subscription_removed(*interest, entry);
    case SubscriptionChange::paused:
      if (book.paused) broken("who is paused is not paused again", named(*interest, at));
      book.paused = true;
      return;
    case SubscriptionChange::resumed:
      if (!book.paused) broken("only who is paused is resumed", named(*interest, at));
      book.paused = false;
      return;
    case SubscriptionChange::cursor_reset: return cursor_reset(at, *interest, entry);
    case SubscriptionChange::skipped: return skipped(at, *interest, entry);
    case SubscriptionChange::advanced: return advanced(at, *interest, entry);
    default: return broken("a change of a subscription is one that is known", named(*interest, at));
  }
}

void Model::subscription_created(Sequence at, const Interest& interest,
                                 const ledger::SubscriptionChanged& entry) {
  Book& book = books_[interest.number];
  if (book.since != 0) return broken("a subscription is made once", interest.name);
  book.configured = text_of(entry.by()) == kConfiguration;
  if (!book.configured) {
    if (open(interest) > 0)
      return broken("what waits for a removed subscription is for nobody else", interest.name);
    // A client begins anew; a channel that comes back goes on where it was.
    book.paused = false;
    book.skip_before = book.next = book.through = 0;
  }
  book.wants = wants_of(entry.filter());
  if (std::find(interest.wants.begin(), interest.wants.end(), book.wants) == interest.wants.end())
    return broken("a subscription's filter is recorded", interest.name);
  if (book.configured && !book.ever && interest.number == kNight) {
    check_start(at, interest, entry.start());
  } else if (entry.start() != 0) {
    return broken("where a subscription starts is decided once", interest.name);
  }
  book.since = at;
  book.ever = true;
  if (entry.start() == 0) return;
  book.next = entry.start();
  book.through = 0;
  book.moved_at = at;
}

/// Where it starts, give or take entries that are no events.
void Model::check_start(Sequence at, const Interest& interest, Sequence start) {
  const core::StartAt& wanted = setup_.night_start;
  Sequence expected = at;
  if (wanted.kind == core::StartAt::Kind::beginning) expected = 1;
  if (wanted.kind == core::StartAt::Kind::sequence) expected = wanted.sequence;
  if (wanted.kind == core::StartAt::Kind::time) expected = first_since(wanted.at_us, at - 1);
  const Sequence actual = start == 0 ? at : start;
  const auto between = kept_.lower_bound(std::min(expected, actual));
  if (between != kept_.end() && between->first < std::max(expected, actual))
    broken(
        "a new subscription starts where its channel says",
        std::string(interest.name) + " at " + std::to_string(actual) + ", not " + std::to_string(expected));
}

Sequence Model::first_since(std::int64_t at, Sequence through) const {
  const auto end = appended_.begin() + static_cast<std::ptrdiff_t>(through);
  return static_cast<Sequence>(std::lower_bound(appended_.begin(), end, at) - appended_.begin()) + 1;
}

void Model::subscription_removed(const Interest& interest, const ledger::SubscriptionChanged& entry) {
  Book& book = books_[interest.number];
  book.since = 0;
  // What waits for a channel stays until it is put back.
  if (text_of(entry.by()) == kConfiguration) return;
  if (book.configured || text_of(entry.by()) != kOperatorsName)
    return broken("an operator removes what a client made, and nobody else does", interest.name);
  if (open(interest) > 0)
    return broken("a subscription is removed once nothing waits for it", describe_open(interest));
  book.paused = false;
  book.skip_before = book.next = book.through = 0;
  book.asked = {};
}

void Model::cursor_reset(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry) {
  Book& book = books_[interest.number];
  const std::string what = named(interest, at);
  const auto event = kept_.upper_bound(entry.through());
  if (event != kept_.end() || entry.through() >= at)
    return broken("a reset looks through the newest event of then", what);
  const auto ask = asks_.find(text_of(entry.reason()));
  if (ask == asks_.end()) return broken("a reset says why", what);
  Sequence expected = 1;
  if (ask->second.position == wire::Position::now) expected = entry.through() + 1;
  if (ask->second.position == wire::Position::sequence) expected = ask->second.sequence;
  if (ask->second.position == wire::Position::time) expected = first_since(ask->second.at, entry.through());
  if (entry.start() != expected)
    return broken("a cursor is set where the operator wants it",
                  what + ": " + std::to_string(entry.start()) + ", not " + std::to_string(expected));
  const bool starts = book.next != 0 && book.through == 0;
  const bool back = entry.start() <= entry.through();
  book.skip_before = entry.start() > 1 ? entry.start() : 0;
  book.next = starts || back ? entry.start() : 0;
  book.through = !starts && back ? entry.through() : 0;
  book.moved_at = at;
  for (auto& [sequence, line] : book.lines) line.not_before = {};
  // What is in flight may come again from its first attempt on.
  for (auto& [serial, connection] : connections_) {
    const auto found = connection.attachments.find(interest.name);
    if (found != connection.attachments.end()) found->second.in_flight.clear();
  }
}

void Model::skipped(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry) {
  Book& book = books_[interest.number];
  const std::string what = named(interest, at);
  if (book.skip_before == 0 || entry.through() >= book.skip_before)
    return broken("only what waits before the cursor is skipped", what);
  std::vector<Sequence> waiting;
  for (const auto& [child, sequences] : book.open) {
    for (const Sequence sequence : sequences) {
      if (sequence >= entry.start() && sequence <= entry.through()) waiting.push_back(sequence);
    }
  }
  std::sort(waiting.begin(), waiting.end());
  for (const Sequence sequence : waiting) {
    Line& line = book.lines.at(sequence);
    settle(at, book, line, sequence);
    line.skipped = true;
    leave_gap(book, line.child, sequence);
  }
  if (entry.through() + 1 == book.skip_before) book.skip_before = 0;
}

void Model::advanced(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry) {
  Book& book = books_[interest.number];
  const std::string what = named(interest, at);
  const Sequence from = book.next;
  if (from == 0) return broken("only what is behind its end comes nearer to it", what);
  const Sequence end = book.through == 0 ? at : book.through + 1;
  const Sequence until = entry.start() == 0 ? std::max(from, end) : entry.start();
  if (entry.start() != 0 && (until <= from || until > end))
    return broken("each step brings a subscription nearer to its end", what);
  if (until - from > kLookedAtMax) return broken("a step looks at a bounded part of history", what);
  check_looked_at(interest, from, until);
  book.next = entry.start();
  if (entry.start() == 0) book.through = 0;
}

/// What lies between is offered, withheld or none of its business; and what still waited is left alone.
void Model::check_looked_at(const Interest& interest, Sequence from, Sequence until) {
  const Book& book = books_[interest.number];
  for (auto kept = kept_.lower_bound(from); kept != kept_.end() && kept->first < until; ++kept) {
    const Sequence sequence = kept->first;
    if (kept->second.erased != 0) continue;
    const auto line = book.lines.find(sequence);
    const bool before = line != book.lines.end() && line->second.attempt > 0;
    if (!before && book.through != 0) continue;
    if (before && (!line->second.settled || line->second.settled_at > book.moved_at)) continue;
    const auto withheld = book.withheld.find(sequence);
    const bool told = withheld != book.withheld.end() && withheld->second > book.moved_at;
    const auto left_out = [&](Sequence through) {
      const Due decided = due(interest, sequence, through);
      return decided == Due::offered || (decided == Due::withheld && !told);
    };
    if (std::ranges::all_of(decisions_since(book.moved_at, sequence), left_out))
      return broken("nothing behind the cursor is left out",
                    std::string(interest.name) + ", event " + std::to_string(sequence));
  }
}

bool Model::moving(const Interest& interest) const {
  const Book& book = books_[interest.number];
  return book.since != 0 && (book.skip_before != 0 || (book.next != 0 && book.next <= read_through_));
}

}  // namespace carehub::simulation
