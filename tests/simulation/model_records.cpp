#include "broker/base/ledger_keys.hpp"
#include "tests/simulation/model.hpp"

// Which record of a child an event is filed in.

namespace carehub::simulation {

/// A child has one record with one key, whatever links and merges say: those are somebody's word, and change
/// nothing of what was written down before.
void Model::read_record(Sequence sequence, const Publication& publication, const ledger::EventEntry& entry) {
  const std::string what =
      "entry " + std::to_string(sequence) + " of child " + std::to_string(publication.child);
  if (entry.person() == nullptr) return broken("an event is filed in its child's record", what);
  const auto person = key_from<PersonKey>(*entry.person());
  const auto known = record_of_.find(publication.child);
  Record& record = records_[person];
  if (known == record_of_.end()) {
    if (record.child != 0 || !entry.new_person() || entry.previous_of_person() != 0)
      return broken("a child's first event begins a record of its own", what);
    for (const auto& [other, each] : records_) {
      if (other != person && each.key == read_key_)
        return broken("a child's record has a key of its own", what);
    }
    record.child = publication.child;
    record.key = read_key_;
    record_of_.emplace(publication.child, person);
  } else if (known->second != person || record.key != read_key_ || entry.new_person() ||
             entry.previous_of_person() != record.events.back()) {
    return broken("an event is filed in its child's record, behind the one before", what);
  }
  record.events.push_back(sequence);
}

/// By what was said up to the event, or up to where the decision says that it knew of.
bool Model::refused(Sequence sequence, Sequence through) const {
  const auto said = words_.find(kept_.at(sequence).person);
  if (said == words_.end()) return false;
  const Word* newest = nullptr;
  for (const Word& word : said->second) {
    const bool known = word.entry <= std::max(sequence, through);
    if (known && (newest == nullptr || word.said_at >= newest->said_at)) newest = &word;
  }
  return newest != nullptr && newest->refused;
}

/// Between the entry and now, each up to which something else may have been known of the event's child.
std::vector<Sequence> Model::decisions_since(Sequence from, Sequence sequence) const {
  std::vector<Sequence> through{from};
  const auto said = words_.find(kept_.at(sequence).person);
  if (said == words_.end()) return through;
  for (const Word& word : said->second) {
    if (word.entry > from) through.push_back(word.entry);
  }
  return through;
}

/// Of the one record that it is filed under: what a link joins is not followed.
void Model::read_words(Sequence sequence, std::int64_t at, const Publication& publication) {
  if (publication.only_for || !publication.consent) return;
  words_[kept_.at(sequence).person].push_back(
      {sequence, at, *publication.consent != event::ConsentDecision::given});
}

}  // namespace carehub::simulation
