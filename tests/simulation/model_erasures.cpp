#include <algorithm>

#include "broker/base/ledger_keys.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/model.hpp"

// What an erasure takes, what it leaves, and that nothing of it is seen again.

namespace carehub::simulation {
namespace {

constexpr std::string_view kBySequence = "sequence:";

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

std::string named(Sequence at) { return "entry " + std::to_string(at); }

Sequence sequence_in(const std::string& person) {
  return person.starts_with(kBySequence) ? std::stoull(person.substr(kBySequence.size())) : 0;
}

int child_in(const std::string& person) {
  for (int child = 1; child <= kChildren; ++child) {
    if (person == "nhs:" + fakes::test_nhs_number(child)) return child;
  }
  return 0;
}

std::set<KeyId> keys_of(const ledger::Erasure& entry) {
  std::set<KeyId> keys;
  if (entry.keys() == nullptr) return keys;
  for (const auto* key : *entry.keys()) keys.insert(key_from<KeyId>(*key));
  return keys;
}

}  // namespace

void Model::took_erase(Connection& connection, const std::string& agency, const wire::Erase& frame) {
  if (!agency.empty()) return;
  erase_asks_[text_of(frame.reason())] = {text_of(frame.person()), frame.preview()};
  ++connection.erasures;
}

/// Who are one by what links and merges say: of each two the newest word that names both.
std::set<int> Model::linked_with(int child) const {
  std::map<std::pair<int, int>, bool> one;
  for (const auto& [sequence, kept] : kept_) {
    const auto& said = *kept.publication;
    if (kept.erased != 0 || said.names.empty()) continue;
    one[std::minmax(said.names.front(), said.names.back())] = !said.taken_back;
  }
  std::set<int> found{child};
  for (std::size_t before = 0; before < found.size();) {
    before = found.size();
    for (const auto& [pair, are_one] : one) {
      if (are_one && (found.contains(pair.first) || found.contains(pair.second)))
        found.insert({pair.first, pair.second});
    }
  }
  return found;
}

/// All that is to go by this name, as the ledger is right before the erasure. Nobody: nullopt.
std::optional<Model::Destruction> Model::due_to_go(const std::string& person) const {
  Destruction due;
  const Sequence sequence = sequence_in(person);
  if (const auto again = erasures_.find(sequence); again != erasures_.end()) {
    due.keys = again->second.keys;
    due.people = again->second.first;
    return due;
  }
  int child = child_in(person);
  if (const auto kept = kept_.find(sequence); kept != kept_.end() && kept->second.erased == 0)
    child = kept->second.publication->child;
  if (child == 0) return std::nullopt;
  for (const int each : linked_with(child)) {
    if (const auto found = record_of_.find(each); found != record_of_.end()) {
      const Record& record = records_.at(found->second);
      due.people.insert(found->second);
      due.keys.insert(record.key);
      due.events += record.events.size();
    }
    for (const auto& [refused, message] : refused_) {
      if (message.child != each || message.erased) continue;
      due.keys.insert(message.key);
      ++due.refusals;
    }
  }
  return due.keys.empty() ? std::nullopt : std::optional(std::move(due));
}

void Model::read_erasure(Sequence at, const ledger::Erasure& entry) {
  const auto keys = keys_of(entry);
  const std::string reason = text_of(entry.reason());
  verdict_.tell("ledger: " + named(at) + ": " + reason + (entry.complete() ? " is complete" : ""));
  if (text_of(entry.by()) != kOperatorsName) return broken("only an operator erases", named(at));
  if (!keys.empty()) {
    auto& first = erasures_[at];
    first.keys = keys;
    if (entry.person() != nullptr) first.first.insert(key_from<PersonKey>(*entry.person()));
  }
  if (entry.complete()) return read_complete(at, keys);
  if (keys.empty()) {  // one more record of the same child
    if (!destruction_ || destruction_->newest + 1 != at)
      return broken("an erasure's records stand together", named(at));
  } else {
    end_destruction();
    const auto ask = erase_asks_.find(reason);
    if (ask == erase_asks_.end() || ask->second.preview || !accesses_.contains(reason))
      return broken("an erasure is asked for, and that is on record first", named(at));
    auto due = due_to_go(ask->second.person);
    if (!due) return broken("an erasure is of somebody", named(at));
    destruction_ = std::move(*due);
    destruction_->at = at;
    destruction_->found_keys = keys;
  }
  destruction_->newest = at;
  if (entry.person() != nullptr) destruction_->found_people.insert(key_from<PersonKey>(*entry.person()));
}

/// All records of it have been read: nothing is missing, nothing is anybody else's.
void Model::end_destruction() {
  if (!destruction_) return;
  const auto done = *std::exchange(destruction_, std::nullopt);
  const auto told = [&](const char* what, std::size_t due, std::size_t found) {
    return named(done.at) + ": " + std::to_string(due) + " " + what + " are due to go, " +
           std::to_string(found) + " do";
  };
  if (done.people != done.found_people)
    return broken("records that are one child are erased together, and no others",
                  told("records", done.people.size(), done.found_people.size()));
  if (done.keys != done.found_keys)
    return broken("an erasure takes all keys of the child, and no others",
                  told("keys", done.keys.size(), done.found_keys.size()));
  for (const PersonKey& person : done.people) {
    Record& record = records_.at(person);
    if (record_of_.contains(record.child) && record_of_.at(record.child) == person)
      record_of_.erase(record.child);
    forget(done.at, record);
  }
  for (auto& [sequence, message] : refused_)
    message.erased = message.erased || done.keys.contains(message.key);
  erased_keys_.insert(done.keys.begin(), done.keys.end());
  destructions_[done.at] = done;
}

void Model::forget(Sequence at, const Record& record) {
  for (const Sequence sequence : record.events) {
    Kept& kept = kept_.at(sequence);
    if (kept.erased != 0) continue;
    kept.erased = at;
    if (entry_of(kept.publication->number) == sequence) entry_of_.erase(kept.publication->number);
    for (Book& book : books_) forget_in(at, book, sequence);
    for (auto& [name, replay] : replays_into_) forget_in(at, replay.book, sequence);
  }
  // Of an erasure that is done again the child may have a new record.
  if (record_of_.contains(record.child)) return;
  for (Book& book : books_) book.gap_waits.erase(record.child);
  for (auto& [name, replay] : replays_into_) replay.book.gap_waits.erase(record.child);
}

void Model::forget_in(Sequence at, Book& book, Sequence sequence) {
  book.sent_again.erase(sequence);
  const auto found = book.lines.find(sequence);
  if (found == book.lines.end()) return;
  Line& line = found->second;
  line.discarded = line.dead;
  if (line.settled) return;
  settle(at, book, line, sequence);
  line.skipped = true;
}

void Model::read_complete(Sequence at, const std::set<KeyId>& keys) {
  end_destruction();
  const auto known = std::any_of(destructions_.begin(), destructions_.end(),
                                 [&](const auto& each) { return each.second.keys == keys; });
  if (!known) return broken("only what is erased is complete", named(at));
  for (const KeyId& key : keys) {
    if (hub_->vault().may_have(key) || !hub_->vault().copies_with({key}).empty())
      return broken("an erasure is complete once its keys are gone from the vault and its copies", named(at));
  }
  complete_.insert(keys);
}

void Model::sent_erased(Connection& connection, const std::string& agency, const wire::Erased& frame) {
  if (connection.erasures > 0) --connection.erasures;
  if (frame.error() != wire::ErrorKind::unknown) return;
  if (!agency.empty()) return broken("only an operator erases", agency);
  if (frame.sequence() == 0) return;  // a preview
  const std::string what = named(frame.sequence());
  const auto found = destructions_.find(frame.sequence());
  if (found == destructions_.end())
    return broken("an operator is told that a child is erased once that is synced", what);
  if (frame.complete() && !complete_.contains(found->second.keys))
    return broken("an operator is told that an erasure is complete once that is synced", what);
  if (frame.events() != found->second.events || frame.refusals() != found->second.refusals)
    broken("an operator is told how much is erased", what + ": told " + std::to_string(frame.events()) +
                                                         " and " + std::to_string(frame.refusals()) +
                                                         ", are " + std::to_string(found->second.events) +
                                                         " and " + std::to_string(found->second.refusals));
}

/// Nothing leaves of what an Erasure on record has taken.
bool Model::is_erased(Sequence sequence, const std::string& what) {
  const auto kept = kept_.find(sequence);
  if (kept == kept_.end() || kept->second.erased == 0) return false;
  broken("from its Erasure on nothing of a child is seen",
         what + ", erased in entry " + std::to_string(kept->second.erased));
  return true;
}

bool Model::erasing() const {
  return erasures_adrift_ || std::any_of(connections_.begin(), connections_.end(),
                                         [](const auto& each) { return each.second.erasures > 0; });
}

bool Model::has_keys_left() const {
  return std::any_of(erased_keys_.begin(), erased_keys_.end(),
                     [this](const KeyId& key) { return hub_->vault().may_have(key); });
}

void Model::hub_started() {
  if (has_keys_left())
    broken("an erasure that was cut short is finished before anything is served",
           std::to_string(erased_keys_.size()) + " keys are erased on record");
}

bool Model::is_too_old(const BlockVault& vault) const {
  return std::any_of(keys_used_.begin(), keys_used_.end(),
                     [&](const KeyId& key) { return vault.lacks(key); });
}

std::optional<Sequence> Model::some_entry_to_erase(bool again, Dice& dice) const {
  if (again) {
    if (erasures_.empty()) return std::nullopt;
    return std::next(erasures_.begin(), static_cast<std::ptrdiff_t>(dice.below(erasures_.size())))->first;
  }
  if (kept_.empty()) return std::nullopt;
  return std::next(kept_.begin(), static_cast<std::ptrdiff_t>(dice.below(kept_.size())))->first;
}

/// What is erased opens for nobody any more, and all else is as it was.
void Model::check_what_is_left() {
  const auto entries = hub_->ledger().read(1, 1'000'000, 1U << 30U);
  if (!entries) return broken("the ledger reads", "it does not");
  for (const auto& sealed : *entries) {
    const Sequence sequence = sealed.header.sequence;
    const auto body = hub_->reader().open(sealed);
    if (erased_keys_.contains(sealed.header.key_id)) {
      if (body) return broken("what is erased opens for nobody any more", named(sequence));
      continue;
    }
    if (!body) return broken("everybody else's entries are as they were", named(sequence));
    const auto* event = ledger::GetBody(body->data())->entry_as_EventEntry();
    const auto kept = kept_.find(sequence);
    if ((event != nullptr) != (kept != kept_.end()))
      return broken("everybody else's entries are as they were", named(sequence));
    if (event == nullptr) continue;
    const Bytes bytes(event->event()->begin(), event->event()->end());
    if (bytes != kept->second.publication->event)
      return broken("everybody else's entries are as they were", named(sequence));
  }
}

}  // namespace carehub::simulation
