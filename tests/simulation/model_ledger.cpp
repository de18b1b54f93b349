#include <algorithm>

#include "broker/base/ledger_keys.hpp"
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
  synced_us_ = clock_.steady_us();
  while (read_through_ < head && !verdict_.failed()) {
    const auto entries = hub_->ledger().read(read_through_ + 1, kEntries, 64U << 20U);
    if (!entries || entries->empty()) return broken("the ledger reads", "it does not");
    for (const auto& sealed : *entries) {
      const auto body = hub_->reader().open(sealed);
      if (!body) return broken("every synced entry opens", std::to_string(sealed.header.sequence));
      read_through_ = sealed.header.sequence;
      read_key_ = sealed.header.key_id;
      keys_used_.insert(read_key_);
      if (sealed.header.appended_at.us < newest_at_)
        broken("the time of entries never goes back", std::to_string(read_through_));
      newest_at_ = sealed.header.appended_at.us;
      appended_.push_back(newest_at_);
      read_entry(read_through_, newest_at_, *ledger::GetBody(body->data()));
    }
  }
  end_batch();
}

void Model::read_entry(Sequence sequence, std::int64_t appended_at, const ledger::Body& body) {
  using ledger::Entry;
  if (body.entry_type() != Entry::Erasure) end_destruction();
  switch (body.entry_type()) {
    case Entry::Erasure: return read_erasure(sequence, *body.entry_as_Erasure());
    case Entry::EventEntry: return read_event(sequence, appended_at, *body.entry_as_EventEntry());
    case Entry::Refusal: return read_refusal(sequence, *body.entry_as_Refusal());
    case Entry::Offered: return read_offered(sequence, *body.entry_as_Offered());
    case Entry::Withheld: return read_withheld(sequence, *body.entry_as_Withheld());
    case Entry::Acked: return read_acked(sequence, *body.entry_as_Acked());
    case Entry::Nacked: return read_nacked(sequence, *body.entry_as_Nacked());
    case Entry::DeadLetter: return read_dead_letter(sequence, *body.entry_as_DeadLetter());
    case Entry::PolicyChanged: return read_policy(sequence, *body.entry_as_PolicyChanged());
    case Entry::OperatorAction: return read_operator_action(sequence, *body.entry_as_OperatorAction());
    case Entry::Access: return read_access(*body.entry_as_Access());
    case Entry::SubscriptionChanged: return read_changed(sequence, *body.entry_as_SubscriptionChanged());
    default: return;
  }
}

void Model::read_refusal(Sequence sequence, const ledger::Refusal& entry) {
  refusals_.insert(sequence);
  if (entry.original() == nullptr) return;
  refused_[sequence] = {child_named_in(Bytes(entry.original()->begin(), entry.original()->end())), read_key_,
                        false};
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
  kept_[sequence] = {&publication, appended_at, key_from<PersonKey>(*entry.person()), 0};
  entry_of_[publication.number] = sequence;
  verdict_.tell("ledger: entry " + std::to_string(sequence) + " is publication " +
                std::to_string(publication.number) + " of child " + std::to_string(publication.child));
  read_record(sequence, publication, entry);
  read_words(sequence, appended_at, publication);
  if (publication.only_for) return read_mended(sequence, publication, entry);
  if (entry.mends() != 0) return broken("what a publisher says mends nothing", what);
  for (const Interest& interest : interests()) {
    Book& book = books_[interest.number];
    // One that starts comes to it in its turn.
    if (book.since == 0 || (book.next != 0 && book.through == 0)) continue;
    const Due decided = due(interest, sequence, 0);
    if (decided == Due::nothing) continue;
    book.owed.insert(sequence);
    if (decided == Due::withheld) continue;
    Line& line = book.lines[sequence];
    line.child = publication.child;
    line.publication = &publication;
    line.after_gap = book.gap_waits.erase(publication.child) > 0;
    book.open[publication.child].insert(sequence);
  }
}

Due Model::due(const Interest& interest, Sequence sequence, Sequence through) const {
  const Publication& publication = *kept_.at(sequence).publication;
  if (publication.only_for && *publication.only_for != interest.number) return Due::nothing;
  const Book& book = books_[interest.number];
  if (!matches(book.wants, publication)) return Due::nothing;
  if (!may_see(interest.reader, publication, policies_.rbegin()->second, refused(sequence, through)))
    return Due::withheld;
  // What its agency asked for itself looks at what its role is shown.
  const bool as_asked = book.configured || matches(book.wants, as_shown(publication, interest.reader));
  return as_asked ? Due::offered : Due::nothing;
}

int Model::policy_of(Sequence version) const {
  const auto found = policies_.find(version);
  return found == policies_.end() ? -1 : found->second;
}

std::uint32_t Model::attempts_max(const Book& book) const {
  return book.configured ? kAttemptsConfigured : kAttemptsUsual;
}

void Model::read_policy(Sequence at, const ledger::PolicyChanged& entry) {
  for (int policy = 0; policy < kPolicies; ++policy) {
    if (entry.text()->str() == policy_text(policy)) policies_[at] = policy;
  }
  if (!policies_.contains(at)) broken("a policy is recorded as a whole", std::to_string(at));
}

void Model::read_operator_action(Sequence at, const ledger::OperatorAction& entry) {
  // What is counted for reports, say.
  if (entry.subscription() == nullptr) {
    if (entry.action()->string_view().starts_with("erase"))
      broken("an erasure leaves nothing that is the child's", std::to_string(at));
    return;
  }
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  const auto line = book->lines.find(entry.sequence());
  const std::string what = named(entry.subscription(), entry.sequence());
  if (entry.by()->str() != kOperatorsName) return broken("only an operator handles dead letters", what);
  operators_entries_.insert(at);
  verdict_.tell("ledger: " + what + ": an operator will " + entry.action()->str());
  if (line == book->lines.end() || !line->second.dead || line->second.discarded)
    return broken("only a dead letter is sent again, mended or discarded, and once", what);
  if (entry.action()->str() == "mend dead letter") return mended(entry, line->second);
  const bool discarded = entry.action()->str() == "discard dead letter";
  line->second.discarded = discarded;
  if (!discarded) book->sent_again.insert(entry.sequence());
}

Model::Book* Model::book_of(const flatbuffers::String* subscription) {
  const Interest* interest = interest_of(subscription->str());
  if (interest != nullptr) return &book_for(*interest);
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

void Model::read_offered(Sequence at, const ledger::Offered& entry) {
  if (entry.subscription()->str().front() == '~') return read_watch_offered(entry);
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  const Interest& interest = *interest_of(entry.subscription()->str());
  if (entry.role()->str() != interest.reader.role)
    return broken("an Offered names the reader's role", entry.subscription()->str());
  for (const auto* run : *entry.runs()) {
    for (Sequence sequence = run->range()->first(); sequence <= run->range()->last(); ++sequence) {
      if (run->attempt() == 1 && interest.replay) {
        replay_offers(at, replays_into_.at(interest.name), sequence, entry);
        continue;
      }
      if (run->attempt() == 1) {
        read_first_offered(at, interest, sequence, entry);
        continue;
      }
      Line* line = line_of(entry.subscription(), sequence, "an Offered");
      if (line == nullptr) return;
      const std::string what =
          named(entry.subscription(), sequence) + ", attempt " + std::to_string(run->attempt());
      if (line->settled || run->attempt() != line->attempt + 1)
        return broken("attempts are counted one by one", what + " after " + std::to_string(line->attempt));
      if (entry.policy_version() != line->policy || entry.late() != line->late)
        return broken("what was offered under a policy is shown under it at every attempt", what);
      line->attempt = run->attempt();
      line->nacked = false;
    }
  }
}

/// New, wanted again by an operator, or met by a subscription that looks at what lies behind it.
void Model::read_first_offered(Sequence at, const Interest& interest, Sequence sequence,
                               const ledger::Offered& entry) {
  Book& book = books_[interest.number];
  const std::string what = named(entry.subscription(), sequence) + ", in entry " + std::to_string(at);
  if (is_erased(sequence, what)) return;
  const auto kept = kept_.find(sequence);
  if (kept == kept_.end()) return broken("what is offered is an event", what);
  const Publication& publication = *kept->second.publication;
  const bool new_and_due = book.owed.erase(sequence) > 0;
  if (new_and_due && !book.lines.contains(sequence))
    return broken("nobody is offered what filter or role does not allow", what);
  Line& line = book.lines[sequence];
  const bool before = line.attempt > 0;
  const Sequence newest_policy = policies_.rbegin()->first;
  if (new_and_due) {
    if (entry.late() != publication.only_for.has_value() || entry.policy_version() != newest_policy ||
        entry.known() != 0)
      return broken("a new event is offered under today's policy, and late where it mends one", what);
  } else if (book.sent_again.erase(sequence) > 0) {
    if (!line.dead || !entry.late() || entry.policy_version() != line.policy)
      return broken("a dead letter that is sent again is late, under its policy of then", what);
    if (entry.known() >= at || refused(sequence, entry.known()))
      return broken("a dead letter is sent again only while consent lets it", what);
  } else {
    if (!looks_at(book, sequence) || (before && !line.settled) || (!before && book.through != 0))
      return broken("an event is offered first once, or again when an operator wants it", what);
    if (entry.known() < book.moved_at || entry.known() >= at ||
        due(interest, sequence, entry.known()) != Due::offered || entry.policy_version() != newest_policy)
      return broken("what is met behind the cursor is offered as filter and policy are now", what);
    if (entry.late() != (before || publication.only_for))
      return broken("what was offered before is late when it is offered again, and nothing else", what);
    if (!entry.late()) line.after_gap = book.gap_waits.erase(publication.child) > 0;
  }
  begin_life(at, book, sequence, entry);
}

void Model::begin_life(Sequence at, Book& book, Sequence sequence, const ledger::Offered& entry) {
  if (entry.late()) verdict_.tell("ledger: " + named(entry.subscription(), sequence) + ": is offered again");
  Line& line = book.lines[sequence];
  line.publication = kept_.at(sequence).publication;
  line.child = line.publication->child;
  line.policy = entry.policy_version();
  line.attempt = 1;
  line.offered_at = at;
  line.not_before = {};
  line.counted = line.sent_attempt = line.losses = line.uncounted = line.blames = line.old_noes = 0;
  line.unavailable = 0;
  // Entries are read some time after they were decided.
  line.sessions_before = static_cast<std::uint64_t>(
      std::ranges::count_if(book.sessions, [at](Sequence decided) { return decided < at; }));
  line.acks_at_blame = book.acks;
  line.nacked = line.settled = line.dead = line.discarded = line.skipped = line.rejected = false;
  line.late = entry.late();
  if (line.late) line.after_gap = false;
  book.open[line.child].insert(sequence);
}

void Model::settle(Sequence at, Book& book, Line& line, Sequence sequence) {
  line.settled = true;
  line.settled_at = at;
  book.open[line.child].erase(sequence);
}

void Model::leave_gap(Book& book, int child, Sequence sequence) {
  const auto& open = book.open[child];
  const auto next = open.upper_bound(sequence);
  if (next == open.end()) {
    book.gap_waits.insert(child);
  } else {
    book.lines.at(*next).after_gap = true;
  }
}

void Model::read_withheld(Sequence at, const ledger::Withheld& entry) {
  if (entry.subscription()->str().front() == '~') return;
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  const Interest& interest = *interest_of(entry.subscription()->str());
  const auto replay = replays_into_.find(interest.name);
  for (const auto* range : *entry.ranges()) {
    for (Sequence sequence = range->first(); sequence <= range->last(); ++sequence) {
      const bool is_new = book->owed.erase(sequence) > 0;
      if (is_erased(sequence, named(entry.subscription(), sequence))) return;
      const auto kept = kept_.find(sequence);
      const auto is_withheld = [&](Sequence through) {
        return (interest.replay ? due(replay->second, sequence, through)
                                : due(interest, sequence, through)) == Due::withheld;
      };
      const bool seen =
          is_new ? book->lines.contains(sequence)
                 : kept == kept_.end() || !looks_at(*book, sequence) ||
                       std::ranges::none_of(decisions_since(book->moved_at, sequence), is_withheld);
      if (seen) return broken("what may be seen is not withheld", named(entry.subscription(), sequence));
      book->withheld[sequence] = at;
    }
  }
}

void Model::read_acked(Sequence at, const ledger::Acked& entry) {
  Book* book = book_of(entry.subscription());
  if (book == nullptr) return;
  for (const auto* range : *entry.ranges()) {
    for (Sequence sequence = range->first(); sequence <= range->last(); ++sequence) {
      Line* line = line_of(entry.subscription(), sequence, "an Acked");
      if (line == nullptr) return;
      const std::string what = named(entry.subscription(), sequence);
      if (line->settled || line->attempt == 0) return broken("an event is acked once", what);
      if (!explain(*interest_of(entry.subscription()->str()), sequence, std::nullopt, at))
        return broken("only its subscriber acks an event", what);
      ++book->acks;
      settle(at, *book, *line, sequence);
      verdict_.tell("ledger: " + what + " is acked");
    }
  }
}

void Model::read_nacked(Sequence at, const ledger::Nacked& entry) {
  for (const auto* item : *entry.items()) {
    Line* line = line_of(entry.subscription(), item->sequence(), "a Nacked");
    if (line == nullptr) return;
    const std::string what = named(entry.subscription(), item->sequence());
    if (line->settled || item->attempt() != line->attempt)
      return broken("a no belongs to the attempt that is under way", what);
    line->nacked = true;
    const Interest& interest = *interest_of(entry.subscription()->str());
    Book& book = book_for(interest);
    const auto code = item->code() == nullptr ? std::string_view() : item->code()->string_view();
    const bool hubs_own = code == "connection_lost" || code == "no_answer" || code == "cursor_reset";
    // What its receiver became unavailable over counts as failed.
    const auto said = code == "receiver_fell_over" ? ledger::NakKind::unavailable : item->kind();
    if (code == "no_answer") {
      no_answer_came(interest, item->sequence());
    } else if (hubs_own) {
      land(interest, item->sequence(), line->attempt);
    } else if (!explain(interest, item->sequence(), said, at)) {
      return broken("only its subscriber answers for an event", what);
    } else {
      line->losses = line->uncounted = 0;
      if (item->kind() == ledger::NakKind::rejected) line->rejected = true;
    }
    verdict_.tell("ledger: " + what + " is nacked " + ledger::EnumNameNakKind(item->kind()) +
                  (item->counted() ? ", counted" : ""));
    if (!item->counted()) {
      line->unavailable = item->kind() == ledger::NakKind::unavailable ? line->unavailable + 1 : 0;
      // The breaker may be open, and then nothing counts.
      for (auto& [sequence, each] : book.lines) each.uncounted = 0;
      continue;
    }
    ++line->counted;
    if (code == "connection_lost") blamed(book, *line, what);
    if (code == "receiver_fell_over") felled(book, *line, what);
    if (code == kOldCode) ++line->old_noes;
    if (item->kind() != ledger::NakKind::failed)
      broken("a receiver that is unavailable fails no attempt", what);
    if (line->counted >= attempts_max(book)) doomed_.emplace_back(&interest, item->sequence());
  }
}

void Model::read_dead_letter(Sequence at, const ledger::DeadLetter& entry) {
  Line* line = line_of(entry.subscription(), entry.sequence(), "a DeadLetter");
  Book* book = book_of(entry.subscription());
  if (line == nullptr || book == nullptr) return;
  const Interest& interest = *interest_of(entry.subscription()->str());
  const std::string what = named(entry.subscription(), entry.sequence());
  verdict_.tell("ledger: " + what + " is a dead letter");
  if (line->settled) return broken("an event is given up once", what);
  if (entry.attempts() != line->attempt) broken("a dead letter tells its attempts", what);
  if (!line->rejected && line->counted < attempts_max(*book))
    return broken("an event is given up only when its receiver refuses it, or it failed often enough", what);
  const bool blameless = line->publication->taste[interest.number] == Taste::good && interest.honest;
  const std::uint64_t excused = book->outages - line->outages_before + line->blames + line->old_noes;
  if (blameless && !uncertain_ && !line->rejected && excused < attempts_max(*book))
    return broken("an outage makes no dead letter", what);
  settle(at, *book, *line, entry.sequence());
  line->dead = true;
  leave_gap(*book, line->child, entry.sequence());
}

/// What is synced now is whole: no event without what was decided of it.
void Model::end_batch() {
  end_destruction();
  for (const auto& [interest, sequence] : doomed_) {
    if (!book_for(*interest).lines.at(sequence).dead)
      broken("what failed often enough is given up",
             std::string(interest->name) + ", event " + std::to_string(sequence));
  }
  doomed_.clear();
  if (!mends_begun_.empty())
    broken("a mend is synced as a whole", "event " + std::to_string(*mends_begun_.begin()));
  check_replays();
  for (const Interest& interest : interests()) {
    const Book& book = books_[interest.number];
    if (!book.owed.empty())
      broken("an event is synced with who is shown it",
             std::string(interest.name) + ", event " + std::to_string(*book.owed.begin()));
  }
}

std::size_t Model::open(const Interest& interest) const {
  std::size_t count = 0;
  for (const auto& [child, sequences] : book_for(interest).open) count += sequences.size();
  return count;
}

std::size_t Model::stuck(const Interest& interest) const {
  const Book& book = book_for(interest);
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
  for (const auto& [sequence, line] : book_for(interest).lines) {
    if (line.settled && !line.dead && !line.skipped) found.push_back(sequence);
  }
  return found;
}

std::optional<Sequence> Model::some_dead_letter(const Interest& interest, Dice& dice) const {
  std::vector<Sequence> dead;
  for (const auto& [sequence, line] : book_for(interest).lines) {
    if (line.dead && !line.discarded) dead.push_back(sequence);
  }
  if (dead.empty()) return std::nullopt;
  return dead[dice.below(dead.size())];
}

std::string Model::describe_open(const Interest& interest) const {
  const Book& book = book_for(interest);
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
