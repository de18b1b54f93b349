#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/core/state_reader.hpp"

namespace carehub::care {

/// What has become of what was offered. To a watch it was offered, and nothing waits for that.
enum class ShownState : std::uint8_t { offered = 1, acked, dead, skipped, watched };

/// One subscription's deliveries that changed while a layer gathered, by sequence. Nearly all come in the
/// order of their sequences. For one thread; cells may be read on another while nothing is put.
class DeliveryShelf {
 public:
  struct Cell {
    core::Pending delivery;
    ShownState state = ShownState::offered;
    bool stored = true;  // the layers below may have it pending, too
    Timestamp settled_at;

    bool waits() const { return state == ShownState::offered; }
  };

  const Cell* find(Sequence sequence) const;
  Cell* find(Sequence sequence);
  /// There must be none of that sequence.
  Cell& add(const Cell& cell);
  /// One of these is another now.
  void change(Cell& cell, const core::Pending& delivery, ShownState state, Timestamp settled_at);

  /// The next that waits, with sequence > `after`; nullptr: none.
  const Cell* next(Sequence after) const;
  const Cell* next_of(const PersonKey& person, Sequence after) const;

  template <class Visit>
  void for_each(Visit visit) const {
    for (const Cell& cell : in_order_) visit(cell);
    for (const auto& [sequence, cell] : others_) visit(cell);
  }

 private:
  template <class Self>
  static auto find_in(Self& self, Sequence sequence) -> decltype(&self.in_order_.front());

  std::vector<Cell> in_order_;
  std::map<Sequence, Cell> others_;       // that came behind a later one
  mutable Sequence settled_through_ = 0;  // in order, none up to here waits

  // Made when first asked for: most deliveries leave from memory, and nobody asks by person.
  using ByPerson = std::unordered_map<PersonKey, std::vector<Sequence>>;  // in order
  mutable std::optional<ByPerson> by_person_;
};

}  // namespace carehub::care
