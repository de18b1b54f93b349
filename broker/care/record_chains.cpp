#include "broker/care/record_chains.hpp"

#include <algorithm>
#include <limits>

#include "broker/care/people_fold.hpp"

namespace carehub::care {

Result<void> RecordChains::begin(const std::vector<PersonKey>& records, Sequence after) {
  chains_.clear();
  from_ = after == 0 ? std::numeric_limits<Sequence>::max() : after;
  std::optional<PersonKey> of_next;
  if (after != 0) {
    auto event = past_.event_at(after);
    if (!event) return tl::unexpected(event.error());
    if (*event) {
      of_next = (*event)->person;
    } else {
      remark_ = erased_before(after);
    }
  }
  for (const auto& person : records) {
    // Within its record it is known where it goes on. In the others that has to be found, from their newest
    // event on: the record that it is in may be linked with these no more.
    if (of_next == person) {
      chains_.push_back({person, after});
      continue;
    }
    auto record = person_record(past_.rows(), person);
    if (!record) return tl::unexpected(record.error());
    if (*record) chains_.push_back({person, (*record)->last});
  }
  return {};
}

RecordChains::Chain* RecordChains::newest() {
  const auto found = std::ranges::max_element(chains_, {}, &Chain::next);
  return found == chains_.end() || found->next == 0 ? nullptr : &*found;
}

Sequence RecordChains::next() const {
  Sequence next = 0;
  for (const auto& chain : chains_) next = std::max(next, chain.next);
  return std::min(next, from_);
}

Result<std::optional<PastEvent>> RecordChains::step() {
  Chain* const chain = newest();
  if (chain == nullptr) return std::optional<PastEvent>();
  const Sequence at = chain->next;
  auto event = past_.event_at(at);
  if (!event) return event;
  if (!*event || (*event)->person != chain->person) {
    chain->next = 0;
    if (!remark_.empty()) remark_ += "; ";
    remark_ += erased_before(at);
    return std::optional<PastEvent>();
  }
  chain->next = std::min((*event)->previous_of_person, at - 1);
  if (at > from_) return std::optional<PastEvent>();
  return event;
}

}  // namespace carehub::care
