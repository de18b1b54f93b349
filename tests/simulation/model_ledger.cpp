#include <algorithm>

#include "tests/simulation/model.hpp"

namespace carehub::simulation {
namespace {

std::string named(const flatbuffers::String* subscription, Sequence sequence) {
  return (subscription == nullptr ? std::string() : subscription->str()) + ", event " +
         std::to_string(sequence);
}

}  // namespace

void Model::read_ledger() {
  constexpr std::size_t kEntries = 256;
  const Sequence head = hub_->ledger().head();
  if (head == read_through_) return;
  while (read_through_ < head && !verdict_.failed()) {
    const auto entries = hub_->ledger().read(read_through_ + 1, kEntries, 64U << 20U);
    if (!entries || entries->empty()) return broken("the ledger reads", "it does not");
    for (const auto& sealed : *entries) {
      const auto body = hub_->sealer().open(sealed);
      if (!body) return broken("every synced entry opens", std::to_string(sealed.header.sequence));
      read_through_ = sealed.header.sequence;
      if (sealed.header.appended_at.us < newest_at_)
        broken("the time of entries never goes back", std::to_string(read_through_));
      newest_at_ = sealed.header.appended_at.us;
      read_entry(read_through_, newest_at_, *ledger::GetBody(body->data()));
    }
  }
  end_batch();
}

void Model::read_entry(Sequence sequence, std::int64_t appended_at, const ledger::Body& body) {
  using ledger::Entry;
  switch (body.entry_type()) {
    case Entry::EventEntry: return read_event(sequence, appended_at, *body.entry_as_EventEntry());
    case Entry::Refusal: refusals_.insert(sequence); return;
    case Entry::Offered: return read_offered(sequence, *body.entry_as_Offered());
    case Entry::Withheld: return read_withheld(*body.entry_as_Withheld());
    case Entry::Acked: return read_acked(*body.entry_as_Acked());
    case Entry::Nacked: return read_nacked(*body.entry_as_Nacked());
    case Entry::DeadLetter: return read_dead_letter(*body.entry_as_DeadLetter());
    case Entry::SubscriptionChanged: {
      const auto* changed = body.entry_as_SubscriptionChanged();
      const Interest* interest = interest_named(changed->name()->str());
      if (interest == nullptr || changed->agency()->str() != interest->agency)
        return broken("nobody takes another's subscription", changed->name()->str());
      Book& book = books_[interest->number];
      if (book.since != 0) return broken("a subscription is made once", interest->name);
      book.since = sequence;
      return;
    }
    default: return;
  }
}

void Model::read_event(Sequence sequence, std::int64_t appended_at, const ledger::EventEntry& entry) {
  const auto* bytes = entry.event();
  const auto found = by_bytes_.find(std::string(bytes->begin(), bytes->end()));
  const std::string what = "entry " + std::to_string(sequence);
  if (found == by_bytes_.end()) return broken("only what was published is in the ledger", what);
  const Publication& publication = publications_[found->second];
  if (publication.fate != Fate::kept) return broken("what is wrong is not kept", what);
  if (const Sequence before = entry_of(publication.number); before != 0)
    return broken("the same message is in the ledger once",
                  what + " is entry " + std::to_string(before) + " again");
  kept_[sequence] = {&publication, appended_at};
  entry_of_[publication.number] = sequence;
  verdict_.tell("ledger: entry " + std::to_string(sequence) + " is publication " +
                std::to_string(publication.number) + " of child " + std::to_string(publication.child));
  for (const Interest& interest : interests()) {
    Book& book = books_[interest.number];
    if (book.since == 0 || interest.due(publication) == Due::nothing) continue;
    book.owed.insert(sequence);
    if (interest.due(publication) == Due::withheld) continue;
    Line& line = book.lines[sequence];
    line.child = publication.child;
    line.publication = &publication;
    book.open[publication.child].insert(sequence);
  }
}

Model::Book* Model::book_of(const flatbuffers::String* subscription) {
  const Interest* interest = interest_named(subscription->str());
  if (interest != nullptr) return &books_[interest->number];
  broken("the ledger names subscriptions that exist", subscription->str());
  return nullptr;
}

Model::Line* Model::line_of(const flatbuffers::String* subscription, Sequence sequence, const char* what) {
  Book* book = book_of(subscription);
  if (book == nullptr) return nullptr;
  const auto found = book->lines.find(sequence);
  if (found != book->lines.end()) return &found->second;
  broken("nobody is offered what filter or role does not allow",
         std::string(what) + " of " + named(subscription, sequence));
  return nullptr;
}

void Model::offer_first(Book& book, Line& line, Sequence sequence, bool late) {
  line.attempt = 1;
  line.counted = 0;
  line.failed_naks = 0;
  line.sent_attempt = 0;
  line.nacked = line.rejected = line.settled = line.dead = line.ack_seen = false;
  line.late = late;
  book.open[line.child].insert(sequence);
  // A dead letter of the same batch may have come before its Offered.
  line.after_gap = !late && (book.gap_waits.erase(line.child) > 0 || line.after_gap);
}

void Model::read_offered(Sequence, const ledger::Offered& entry) {
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  for (const auto* run : *entry.runs()) {
    for (Sequence sequence = run->range()->first(); sequence <= run->range()->last(); ++sequence) {
      Line* line = line_of(entry.subscription(), sequence, "an Offered");
      if (line == nullptr) return;
      const std::string what =
          named(entry.subscription(), sequence) + ", attempt " + std::to_string(run->attempt());
      if (run->attempt() == 1) {
        const bool owed = book->owed.erase(sequence) > 0;
        if (owed == entry.late() || (entry.late() && !line->dead))
          return broken("an event is offered first once, or late when it was given up", what);
        offer_first(*book, *line, sequence, entry.late());
        continue;
      }
      if (line->settled || run->attempt() != line->attempt + 1)
        return broken("attempts are counted one by one", what + " after " + std::to_string(line->attempt));
      line->attempt = run->attempt();
      line->nacked = false;
    }
  }
}

void Model::read_withheld(const ledger::Withheld& entry) {
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  for (const auto* range : *entry.ranges()) {
    for (Sequence sequence = range->first(); sequence <= range->last(); ++sequence) {
      if (book->owed.erase(sequence) == 0 || book->lines.contains(sequence))
        broken("what may be seen is not withheld", named(entry.subscription(), sequence));
    }
  }
}

void Model::read_acked(const ledger::Acked& entry) {
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  for (const auto* range : *entry.ranges()) {
    for (Sequence sequence = range->first(); sequence <= range->last(); ++sequence) {
      Line* line = line_of(entry.subscription(), sequence, "an Acked");
      if (line == nullptr) return;
      const std::string what = named(entry.subscription(), sequence);
      if (line->settled || line->attempt == 0) return broken("an event is acked once", what);
      if (!line->ack_seen) {
        const auto ahead =
            std::find_if(book->acks_ahead.rbegin(), book->acks_ahead.rend(),
                         [&](const auto& each) { return each.first <= sequence && sequence <= each.last; });
        if (ahead == book->acks_ahead.rend()) return broken("only its subscriber acks an event", what);
        // It was on its way out when the ack came in.
        unexplained_.push_back({static_cast<std::size_t>(book - books_.data()), sequence, ahead->serial});
      }
      line->settled = true;
      book->open[line->child].erase(sequence);
      verdict_.tell("ledger: " + what + " is acked");
    }
  }
}

void Model::read_nacked(const ledger::Nacked& entry) {
  for (const auto* item : *entry.items()) {
    Line* line = line_of(entry.subscription(), item->sequence(), "a Nacked");
    if (line == nullptr) return;
    const std::string what = named(entry.subscription(), item->sequence());
    if (line->settled || item->attempt() != line->attempt)
      return broken("a no belongs to the attempt that is under way", what);
    line->nacked = true;
    verdict_.tell("ledger: " + what + " is nacked " + ledger::EnumNameNakKind(item->kind()) +
                  (item->counted() ? ", counted" : ""));
    if (!item->counted()) continue;
    ++line->counted;
    if (item->kind() != ledger::NakKind::failed || line->counted > line->failed_naks)
      broken("a receiver that is unavailable fails no attempt", what);
    const Interest& interest = *interest_named(entry.subscription()->str());
    if (line->counted >= interest.attempts_max) doomed_.emplace_back(interest.number, item->sequence());
  }
}

void Model::read_dead_letter(const ledger::DeadLetter& entry) {
  Line* line = line_of(entry.subscription(), entry.sequence(), "a DeadLetter");
  Book* book = book_of(entry.subscription());
  if (line == nullptr || book == nullptr) return;
  const Interest& interest = *interest_named(entry.subscription()->str());
  const std::string what = named(entry.subscription(), entry.sequence());
  verdict_.tell("ledger: " + what + " is a dead letter");
  if (line->settled) return broken("an event is given up once", what);
  if (entry.attempts() != line->attempt) broken("a dead letter tells its attempts", what);
  if (!line->rejected && line->counted < interest.attempts_max)
    return broken("an event is given up only when its receiver refuses it, or it failed often enough", what);
  const bool blameless = line->publication->taste[interest.number] == Taste::good && interest.honest;
  if (blameless && !uncertain_ && book->outages - line->outages_before < interest.attempts_max)
    return broken("an outage makes no dead letter", what);
  line->settled = line->dead = true;
  book->open[line->child].erase(entry.sequence());
  const auto& open = book->open[line->child];
  const auto next = open.upper_bound(entry.sequence());
  if (next == open.end()) {
    book->gap_waits.insert(line->child);
  } else {
    book->lines.at(*next).after_gap = true;
  }
}

/// What is synced now is whole: no event without what was decided of it.
void Model::end_batch() {
  for (const auto& [number, sequence] : doomed_) {
    if (!books_[number].lines.at(sequence).dead)
      broken("what failed often enough is given up",
             std::string(interests()[number].name) + ", event " + std::to_string(sequence));
  }
  doomed_.clear();
  for (const Interest& interest : interests()) {
    const Book& book = books_[interest.number];
    if (!book.owed.empty())
      broken("an event is synced with who is shown it",
             std::string(interest.name) + ", event " + std::to_string(*book.owed.begin()));
  }
}

std::size_t Model::open(const Interest& interest) const {
  std::size_t count = 0;
  for (const auto& [child, sequences] : books_[interest.number].open) count += sequences.size();
  return count;
}

std::size_t Model::stuck(const Interest& interest) const {
  const Book& book = books_[interest.number];
  std::size_t count = 0;
  for (const auto& [child, sequences] : book.open) {
    for (const Sequence sequence : sequences) {
      if (book.lines.at(sequence).publication->taste[interest.number] != Taste::good) ++count;
    }
  }
  return count;
}

std::vector<Sequence> Model::acked(const Interest& interest) const {
  std::vector<Sequence> found;
  for (const auto& [sequence, line] : books_[interest.number].lines) {
    if (line.settled && !line.dead) found.push_back(sequence);
  }
  return found;
}

std::optional<Sequence> Model::some_dead_letter(const Interest& interest, Dice& dice) const {
  std::vector<Sequence> dead;
  for (const auto& [sequence, line] : books_[interest.number].lines) {
    if (line.dead) dead.push_back(sequence);
  }
  if (dead.empty()) return std::nullopt;
  return dead[dice.below(dead.size())];
}

std::string Model::describe_open(const Interest& interest) const {
  const Book& book = books_[interest.number];
  std::string text = interest.name;
  for (const auto& [child, sequences] : book.open) {
    for (const Sequence sequence : sequences) {
      const Line& line = book.lines.at(sequence);
      text += "; event " + std::to_string(sequence) + " of child " + std::to_string(child) + ", attempt " +
              std::to_string(line.attempt) + ", counted " + std::to_string(line.counted);
    }
  }
  return text;
}

}  // namespace carehub::simulation
