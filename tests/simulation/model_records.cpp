#include <algorithm>

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

/// From when on links and merges say of each two children that they are one, or no more, the newest word
/// last. What names a child who has no record yet counts once there is one.
std::map<std::pair<int, int>, std::vector<std::pair<Sequence, bool>>> Model::said_to_be_one() const {
  std::map<std::pair<int, int>, std::vector<std::pair<Sequence, bool>>> said;
  const auto begun = [this](int child) -> Sequence {
    const auto record = record_of_.find(child);
    return record == record_of_.end() ? 0 : records_.at(record->second).events.front();
  };
  for (const auto& [sequence, kept] : kept_) {
    const auto& names = kept.publication->names;
    if (kept.erased != 0 || names.empty()) continue;
    const auto first = begun(names.front());
    const auto second = begun(names.back());
    if (first == 0 || second == 0) continue;
    said[std::minmax(names.front(), names.back())].emplace_back(std::max({sequence, first, second}),
                                                                !kept.publication->taken_back);
  }
  return said;
}

/// The records that were one child's by then, this one among them.
std::set<PersonKey> Model::one_with(const PersonKey& person, Sequence through) const {
  std::set<PersonKey> found{person};
  const int child = records_.at(person).child;
  if (!record_of_.contains(child) || record_of_.at(child) != person) return found;
  const auto said = said_to_be_one();
  std::set<int> children{child};
  for (std::size_t before = 0; before < children.size();) {
    before = children.size();
    for (const auto& [pair, words] : said) {
      bool are_one = false;
      for (const auto& [from, one] : words) {
        if (from <= through) are_one = one;
      }
      if (are_one && (children.contains(pair.first) || children.contains(pair.second)))
        children.insert({pair.first, pair.second});
    }
  }
  for (const int each : children) found.insert(record_of_.at(each));
  return found;
}

/// By what was said up to the event, or up to where the decision says that it knew of. In whichever record of
/// the child's somebody refused, it is refused.
bool Model::refused(Sequence sequence, Sequence through) const {
  through = std::max(sequence, through);
  const auto records = one_with(kept_.at(sequence).person, through);
  return std::ranges::any_of(records, [&](const PersonKey& record) {
    const auto said = words_.find(record);
    if (said == words_.end()) return false;
    const Word* newest = nullptr;
    for (const Word& word : said->second) {
      if (word.entry <= through && (newest == nullptr || word.said_at >= newest->said_at)) newest = &word;
    }
    return newest != nullptr && newest->refused;
  });
}

/// Between the entry and now, each up to which something else may have been known of the event's child.
std::vector<Sequence> Model::decisions_since(Sequence from, Sequence sequence) const {
  std::vector<Sequence> through{from};
  const auto add = [&](Sequence entry) {
    if (entry > from) through.push_back(entry);
  };
  const auto own = words_.find(kept_.at(sequence).person);
  if (own != words_.end()) {
    for (const Word& word : own->second) add(word.entry);
  }
  const auto said = said_to_be_one();
  if (said.empty()) return through;
  for (const auto& [pair, words] : said) {
    for (const auto& [entry, one] : words) add(entry);
    for (const int child : {pair.first, pair.second}) {
      const auto theirs = words_.find(record_of_.at(child));
      if (theirs == words_.end()) continue;
      for (const Word& word : theirs->second) add(word.entry);
    }
  }
  return through;
}

void Model::read_words(Sequence sequence, std::int64_t at, const Publication& publication) {
  if (publication.only_for || !publication.consent) return;
  words_[kept_.at(sequence).person].push_back(
      {sequence, at, *publication.consent != event::ConsentDecision::given});
}

}  // namespace carehub::simulation
