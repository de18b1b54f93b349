#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/care/delivery_shelf.hpp"
#include "broker/storage/state_store.hpp"

/// What each subscription has pending and was shown: two rows a delivery that waits, and one for each that
/// was ever offered.
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
std::string encode(const ShownRow& row);
Result<ShownRow> decode_shown(std::string_view row);

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

  /// Deliveries that have gathered.
  std::size_t gathered() const { return gathered_; }
  void seal(Sequence head);
  /// The rows of what leaves; on whatever thread.
  void append_leaving(std::vector<storage::RowChange>& changes) const;
  std::shared_ptr<void> left();

 private:
  using Cell = DeliveryShelf::Cell;
  using Layer = std::map<std::string, DeliveryShelf, std::less<>>;  // by subscription

  class Ahead;
  Ahead ahead(std::string_view subscription) const;
  void change(std::string_view subscription, const core::Pending& delivery, ShownState state, Timestamp at);

  const storage::StateStore& store_;
  Layer gathering_;
  Layer leaving_;
  std::size_t gathered_ = 0;
  Sequence sealed_ = 0;
};

}  // namespace carehub::care
