#include "broker/care/delivery_shelf.hpp"

#include <algorithm>

namespace carehub::care {
namespace {

Sequence sequence_of(const DeliveryShelf::Cell& cell) { return cell.delivery.sequence; }

void note(std::vector<Sequence>& sequences, Sequence sequence) {
  const auto place = std::ranges::lower_bound(sequences, sequence);
  if (place == sequences.end() || *place != sequence) sequences.insert(place, sequence);
}

}  // namespace

template <class Self>
auto DeliveryShelf::find_in(Self& self, Sequence sequence) -> decltype(&self.in_order_.front()) {
  const auto found = std::ranges::lower_bound(self.in_order_, sequence, {}, sequence_of);
  if (found != self.in_order_.end() && sequence_of(*found) == sequence) return &*found;
  const auto other = self.others_.find(sequence);
  return other == self.others_.end() ? nullptr : &other->second;
}

const DeliveryShelf::Cell* DeliveryShelf::find(Sequence sequence) const { return find_in(*this, sequence); }
DeliveryShelf::Cell* DeliveryShelf::find(Sequence sequence) { return find_in(*this, sequence); }

DeliveryShelf::Cell& DeliveryShelf::add(const Cell& cell) {
  const Sequence sequence = sequence_of(cell);
  if (by_person_) note((*by_person_)[cell.delivery.person], sequence);
  if (in_order_.empty() || sequence > sequence_of(in_order_.back())) return in_order_.emplace_back(cell);
  return others_.emplace(sequence, cell).first->second;
}

void DeliveryShelf::change(Cell& cell, const core::Pending& delivery, ShownState state,
                           Timestamp settled_at) {
  cell.delivery = delivery;
  cell.state = state;
  cell.settled_at = settled_at;
  if (cell.waits()) settled_through_ = std::min(settled_through_, delivery.sequence - 1);
}

const DeliveryShelf::Cell* DeliveryShelf::next(Sequence after) const {
  const auto waits = [](const Cell& cell) { return cell.waits(); };
  const auto begin = std::ranges::upper_bound(in_order_, std::max(after, settled_through_), {}, sequence_of);
  const auto ordered = std::find_if(begin, in_order_.end(), waits);
  if (after <= settled_through_ && ordered != begin) settled_through_ = sequence_of(*std::prev(ordered));
  auto other = others_.upper_bound(after);
  while (other != others_.end() && !other->second.waits()) ++other;
  if (ordered == in_order_.end()) return other == others_.end() ? nullptr : &other->second;
  return other == others_.end() || sequence_of(*ordered) < other->first ? &*ordered : &other->second;
}

const DeliveryShelf::Cell* DeliveryShelf::next_of(const PersonKey& person, Sequence after) const {
  if (!by_person_) {
    by_person_.emplace();
    for_each([this](const Cell& cell) { (*by_person_)[cell.delivery.person].push_back(sequence_of(cell)); });
    for (auto& [key, sequences] : *by_person_) std::ranges::sort(sequences);
  }
  const auto found = by_person_->find(person);
  if (found == by_person_->end()) return nullptr;
  for (auto at = std::ranges::upper_bound(found->second, after); at != found->second.end(); ++at) {
    const Cell* cell = find(*at);
    if (cell->waits()) return cell;
  }
  return nullptr;
}

}  // namespace carehub::care
