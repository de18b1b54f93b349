#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/care/delivery_shelf.hpp"
#include "broker/storage/state_store.hpp"

/// What each subscription has pending and was shown: two rows a delivery that waits, and some bytes of a row
/// for each that was ever offered.
namespace carehub::care {

class RowReader;
class RowReads;

struct ShownRow {
  ShownState state = ShownState::offered;
  std::uint32_t attempt = 0;
  std::uint64_t policy_version = 0;
  Timestamp offered_at;
  Timestamp settled_at;
};
/// What one subscription was offered of events that follow one another, as one row: `kShownOfRow` at most.
using ShownRows = std::map<Sequence, ShownRow>;
std::string encode(const ShownRows& rows);
/// Error `corrupt`.
Result<ShownRows> decode_shown(std::string_view key, std::string_view row);
/// What became of one event, where it was offered.
Result<std::optional<ShownRow>> shown_row(const RowReads& rows, std::string_view subscription,
                                          Sequence sequence);

/// Who was offered an event, by subscription, at most `limits::kSubscriptionsMax` and a few.
Result<std::map<std::string, ShownRow>> shown_to(const storage::StateStore& store, Sequence sequence);

std::string encode(const core::Pending& pending);
core::Pending decode_pending(Sequence sequence, RowReader& reader);

/// Pending in the store, with sequence > `after`, in sequence order.
Result<std::vector<core::Pending>> stored_pending(const RowReads& stored, std::string_view subscription,
                                                  Sequence after, std::size_t rows_max);

/// The store's deliveries under two layers of newer ones, `gathering` and `leaving` as Rows has them. Most
/// are acked while their layer gathers: they are kept as they are, and become rows when the layer leaves. For
/// one thread, but for append_leaving().
class DeliveryRows {
 public:
  explicit DeliveryRows(const storage::StateStore& store) : store_(store), sealed_(store.applied()) {}

  /// Where it waits.
  Result<std::optional<core::Pending>> pending(std::string_view subscription, Sequence sequence) const;
  /// Pending with sequence > `after`, in sequence order.
  Result<std::vector<core::Pending>> pending_after(std::string_view subscription, Sequence after,
                                                   std::size_t rows_max) const;
  Result<std::vector<core::Pending>> pending_of(std::string_view subscription, const PersonKey& person,
                                                Sequence after, std::size_t rows_max) const;
  /// Whether it was offered, and the store may not know yet.
  bool offered_ahead(std::string_view subscription, Sequence sequence) const;

  /// It waits from now on, as it stands here.
  void put(std::string_view subscription, const core::Pending& delivery);
  /// It waits no more.
  void settle(std::string_view subscription, const core::Pending& delivery, ShownState state, Timestamp at);

  /// It was offered to a watch.
  void show(std::string_view subscription, const core::Pending& delivery);

  /// Deliveries that have gathered.
  std::size_t gathered() const { return gathered_; }
  void seal(Sequence head);
  /// The rows of what leaves; on whatever thread.
  Result<void> append_leaving(std::vector<storage::RowChange>& changes) const;
  std::shared_ptr<void> left();

 private:
  using Cell = DeliveryShelf::Cell;
  using Layer = std::map<std::string, DeliveryShelf, std::less<>>;  // by subscription

  class Ahead;
  struct Leaving {
    Sequence sequence;
    const std::string* subscription;
    const Cell* cell;
  };
  Result<void> append_shown(std::vector<Leaving> leaving, std::vector<storage::RowChange>& changes) const;
  Ahead ahead(std::string_view subscription) const;
  void change(std::string_view subscription, const core::Pending& delivery, ShownState state, Timestamp at);

  const storage::StateStore& store_;
  Layer gathering_;
  Layer leaving_;
  std::size_t gathered_ = 0;
  Sequence sealed_ = 0;
  Sequence stored_ = 0;  // up to which the store has the rows while a layer leaves
};

}  // namespace carehub::care
