#include "broker/care/delivery_rows.hpp"

#include <algorithm>
#include <utility>

#include "broker/base/limits.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"

namespace carehub::care {
namespace {

auto cut_short(const char* what) {
  return fail(ErrorKind::corrupt, std::string(what) + " row is cut short: run carehub rebuild");
}

Result<core::Pending> decode(Sequence sequence, std::string_view row) {
  RowReader reader(row);
  auto pending = decode_pending(sequence, reader);
  if (!reader.ok()) return cut_short("a pending delivery's");
  return pending;
}

Result<std::optional<core::Pending>> stored_one(const storage::StateStore& store,
                                                std::string_view subscription, Sequence sequence) {
  auto row = store.get(row_keys::pending(subscription, sequence));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<core::Pending>();
  auto pending = decode(sequence, **row);
  if (!pending) return tl::unexpected(pending.error());
  return std::optional(*pending);
}

/// Some of what the store has pending.
struct StoredPart {
  std::vector<core::Pending> pending;
  Sequence through = 0;  // looked at so far
  bool more = false;
};

}  // namespace

std::string encode(const ShownRows& rows) {
  RowWriter writer;
  std::int64_t before_us = 0;
  for (const auto& [sequence, row] : rows) {
    writer.number(static_cast<std::uint8_t>(sequence % row_keys::kShownOfRow))
        .number(static_cast<std::uint8_t>(row.state))
        .packed(row.attempt)
        .packed(row.policy_version)
        .packed_difference(row.offered_at.us - before_us);
    if (row.state != ShownState::offered) writer.packed_difference(row.settled_at.us - row.offered_at.us);
    before_us = row.offered_at.us;
  }
  return writer.take();
}

Result<ShownRows> decode_shown(std::string_view key, std::string_view row) {
  const Sequence first = row_keys::shown_first(key);
  ShownRows rows;
  RowReader reader(row);
  std::int64_t before_us = 0;
  while (!reader.done()) {
    const auto place = reader.number<std::uint8_t>();
    ShownRow shown;
    shown.state = static_cast<ShownState>(reader.number<std::uint8_t>());
    shown.attempt = static_cast<std::uint32_t>(reader.packed());
    shown.policy_version = reader.packed();
    before_us += reader.packed_difference();
    shown.offered_at = {before_us};
    if (shown.state != ShownState::offered) shown.settled_at = {before_us + reader.packed_difference()};
    const bool in_order = rows.empty() || rows.rbegin()->first < first + place;
    if (!reader.ok() || place >= row_keys::kShownOfRow || !in_order) return cut_short("a disclosure's");
    rows.emplace_hint(rows.end(), first + place, shown);
  }
  return rows;
}

Result<std::optional<ShownRow>> shown_row(const RowReads& rows, std::string_view subscription,
                                          Sequence sequence) {
  const auto key = row_keys::shown(sequence, subscription);
  auto row = rows.get(key);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<ShownRow>();
  auto shown = decode_shown(key, **row);
  if (!shown) return tl::unexpected(shown.error());
  const auto found = shown->find(sequence);
  return found == shown->end() ? std::optional<ShownRow>() : std::optional(found->second);
}

Result<std::map<std::string, ShownRow>> shown_to(const storage::StateStore& store, Sequence sequence) {
  constexpr std::size_t kRows = 256;
  std::map<std::string, ShownRow> shown;
  const auto prefix = row_keys::shown_of(sequence);
  for (std::string from; shown.size() < limits::kSubscriptionsMax;) {
    const auto found = store.scan(prefix, from, kRows);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      const auto decoded = decode_shown(row.key, row.value);
      if (!decoded) return tl::unexpected(decoded.error());
      const auto one = decoded->find(sequence);
      if (one != decoded->end()) shown.emplace(row_keys::shown_name(row.key), one->second);
    }
    if (found->size() < kRows) break;
    from = found->back().key + '\0';
  }
  return shown;
}

std::string encode(const core::Pending& pending) {
  return RowWriter()
      .key(pending.person)
      .number(pending.attempt)
      .number(pending.counted)
      .number(pending.policy_version)
      .number(static_cast<std::uint8_t>(pending.urgency))
      .number(static_cast<std::uint8_t>(pending.type))
      .flag(pending.late)
      .flag(pending.after_gap)
      .flag(pending.nacked)
      .time(pending.offered_at.us)
      .number(pending.known)
      .take();
}

core::Pending decode_pending(Sequence sequence, RowReader& reader) {
  core::Pending pending;
  pending.sequence = sequence;
  pending.person = reader.key<PersonKey>();
  pending.attempt = reader.number<std::uint32_t>();
  pending.counted = reader.number<std::uint32_t>();
  pending.policy_version = reader.number<std::uint64_t>();
  pending.urgency = static_cast<event::Urgency>(reader.number<std::uint8_t>());
  pending.type = static_cast<event::EventType>(reader.number<std::uint8_t>());
  pending.late = reader.flag();
  pending.after_gap = reader.flag();
  pending.nacked = reader.flag();
  pending.offered_at = {reader.time()};
  pending.known = reader.number<Sequence>();
  return pending;
}

Result<std::vector<core::Pending>> stored_pending(const RowReads& stored, std::string_view subscription,
                                                  Sequence after, std::size_t rows_max) {
  auto found =
      stored.scan(row_keys::pending_of(subscription), row_keys::pending(subscription, after + 1), rows_max);
  if (!found) return tl::unexpected(found.error());
  std::vector<core::Pending> pending;
  pending.reserve(found->size());
  for (const auto& row : *found) {
    auto decoded = decode(row_keys::last_sequence(row.key), row.value);
    if (!decoded) return tl::unexpected(decoded.error());
    pending.push_back(*decoded);
  }
  return pending;
}

/// What the layers have of one subscription.
class DeliveryRows::Ahead {
 public:
  Ahead(const DeliveryShelf* newer, const DeliveryShelf* older) : newer_(newer), older_(older) {}

  const Cell* find(Sequence sequence) const {
    const Cell* cell = newer_ == nullptr ? nullptr : newer_->find(sequence);
    return cell != nullptr || older_ == nullptr ? cell : older_->find(sequence);
  }

  /// The first that waits; `next(shelf, after)` says which that is on one shelf.
  template <class Next>
  const Cell* first(Sequence after, Next next) const {
    const Cell* newer = newer_ == nullptr ? nullptr : next(*newer_, after);
    const Cell* older = older_ == nullptr ? nullptr : next(*older_, after);
    while (older != nullptr && newer_ != nullptr && newer_->find(older->delivery.sequence) != nullptr) {
      older = next(*older_, older->delivery.sequence);
    }
    if (newer == nullptr || (older != nullptr && older->delivery.sequence < newer->delivery.sequence))
      return older;
    return newer;
  }

  /// In order with what `read(through)` gives of the store, where the layers say nothing else of it.
  template <class Next, class Read>
  Result<std::vector<core::Pending>> merge(Sequence after, std::size_t rows_max, Next next, Read read) const {
    std::vector<core::Pending> merged;
    StoredPart part{{}, after, true};
    std::size_t at = 0;
    const Cell* ahead = first(after, next);
    while (merged.size() < rows_max) {
      if (at == part.pending.size() && part.more) {
        Result<StoredPart> read_on = read(part.through);
        if (!read_on) return tl::unexpected(read_on.error());
        part = std::move(*read_on);
        at = 0;
        continue;
      }
      const core::Pending* stored = at == part.pending.size() ? nullptr : &part.pending[at];
      if (stored == nullptr && ahead == nullptr) break;
      if (stored != nullptr && find(stored->sequence) != nullptr) {
        ++at;
      } else if (ahead == nullptr || (stored != nullptr && stored->sequence < ahead->delivery.sequence)) {
        merged.push_back(*stored);
        ++at;
      } else {
        merged.push_back(ahead->delivery);
        ahead = first(ahead->delivery.sequence, next);
      }
    }
    return merged;
  }

 private:
  const DeliveryShelf* newer_;
  const DeliveryShelf* older_;
};

DeliveryRows::Ahead DeliveryRows::ahead(std::string_view subscription) const {
  const auto newer = gathering_.find(subscription);
  const auto older = leaving_.find(subscription);
  return {newer == gathering_.end() ? nullptr : &newer->second,
          older == leaving_.end() ? nullptr : &older->second};
}

Result<std::optional<core::Pending>> DeliveryRows::pending(std::string_view subscription,
                                                           Sequence sequence) const {
  if (const Cell* cell = ahead(subscription).find(sequence)) {
    return cell->waits() ? std::optional(cell->delivery) : std::nullopt;
  }
  return stored_one(store_, subscription, sequence);
}

Result<std::vector<core::Pending>> DeliveryRows::pending_after(std::string_view subscription, Sequence after,
                                                               std::size_t rows_max) const {
  const auto next = [](const DeliveryShelf& shelf, Sequence passed) { return shelf.next(passed); };
  const auto read = [&](Sequence through) -> Result<StoredPart> {
    auto pending = stored_pending(StoredRows(store_), subscription, through, rows_max);
    if (!pending) return tl::unexpected(pending.error());
    const bool more = pending->size() == rows_max;
    const Sequence last = pending->empty() ? through : pending->back().sequence;
    return StoredPart{std::move(*pending), last, more};
  };
  return ahead(subscription).merge(after, rows_max, next, read);
}

Result<std::vector<core::Pending>> DeliveryRows::pending_of(std::string_view subscription,
                                                            const PersonKey& person, Sequence after,
                                                            std::size_t rows_max) const {
  const auto layers = ahead(subscription);
  const auto next = [&](const DeliveryShelf& shelf, Sequence passed) {
    return shelf.next_of(person, passed);
  };
  const auto read = [&](Sequence through) -> Result<StoredPart> {
    auto gates = store_.scan(row_keys::gate_of(subscription, person),
                             row_keys::gate(subscription, person, through + 1), rows_max);
    if (!gates) return tl::unexpected(gates.error());
    StoredPart part{{}, through, gates->size() == rows_max};
    for (const auto& gate : *gates) {
      part.through = row_keys::last_sequence(gate.key);
      if (layers.find(part.through) != nullptr) continue;
      auto pending = stored_one(store_, subscription, part.through);
      if (!pending) return tl::unexpected(pending.error());
      if (!*pending)
        return fail(ErrorKind::corrupt, "a child's gate has no pending delivery: run carehub rebuild");
      part.pending.push_back(**pending);
    }
    return part;
  };
  return layers.merge(after, rows_max, next, read);
}

bool DeliveryRows::offered_ahead(std::string_view subscription, Sequence sequence) const {
  return ahead(subscription).find(sequence) != nullptr;
}

void DeliveryRows::put(std::string_view subscription, const core::Pending& delivery) {
  change(subscription, delivery, ShownState::offered, {});
}

void DeliveryRows::settle(std::string_view subscription, const core::Pending& delivery, ShownState state,
                          Timestamp at) {
  change(subscription, delivery, state, at);
}

void DeliveryRows::show(std::string_view subscription, const core::Pending& delivery) {
  change(subscription, delivery, ShownState::watched, {});
}

void DeliveryRows::change(std::string_view subscription, const core::Pending& delivery, ShownState state,
                          Timestamp at) {
  auto found = gathering_.find(subscription);
  if (found == gathering_.end()) found = gathering_.try_emplace(std::string(subscription)).first;
  DeliveryShelf& shelf = found->second;
  if (Cell* cell = shelf.find(delivery.sequence)) {
    shelf.change(*cell, delivery, state, at);
  } else {
    // The store's layers know nothing of an event that came after they were sealed.
    shelf.add({delivery, state, delivery.sequence <= sealed_, at});
    ++gathered_;
  }
}

void DeliveryRows::seal(Sequence head) {
  std::swap(leaving_, gathering_);
  gathered_ = 0;
  stored_ = std::exchange(sealed_, head);
}

/// In key order, kind by kind: a store takes in what is sorted for half the work.
Result<void> DeliveryRows::append_leaving(std::vector<storage::RowChange>& changes) const {
  std::vector<Leaving> leaving;
  for (const auto& [subscription, shelf] : leaving_) {
    shelf.for_each([&leaving, &name = subscription](const Cell& cell) {
      leaving.push_back({cell.delivery.sequence, &name, &cell});
    });
  }
  const auto written = changes.size();
  for (const auto& each : leaving) {
    const core::Pending& delivery = each.cell->delivery;
    if (!each.cell->waits() && !each.cell->stored) continue;
    const bool waits = each.cell->waits();
    changes.push_back({row_keys::gate(*each.subscription, delivery.person, delivery.sequence),
                       waits ? std::optional<std::string>("") : std::nullopt});
    changes.push_back({row_keys::pending(*each.subscription, delivery.sequence),
                       waits ? std::optional(encode(delivery)) : std::nullopt});
  }
  const auto by_key = [](const storage::RowChange& left, const storage::RowChange& right) {
    return left.key < right.key;
  };
  std::sort(changes.begin() + static_cast<std::ptrdiff_t>(written), changes.end(), by_key);
  return append_shown(std::move(leaving), changes);
}

/// Together with what the store has of the same row.
Result<void> DeliveryRows::append_shown(std::vector<Leaving> leaving,
                                        std::vector<storage::RowChange>& changes) const {
  // The names of one row's shelves are in order already.
  std::ranges::stable_sort(leaving, {},
                           [](const Leaving& each) { return row_keys::shown_first(each.sequence); });
  for (auto at = leaving.begin(); at != leaving.end();) {
    const auto first = row_keys::shown_first(at->sequence);
    const auto* subscription = at->subscription;
    auto key = row_keys::shown(first, *subscription);
    ShownRows shown;
    if (first <= stored_) {
      const auto stored = store_.get(key);
      if (!stored) return tl::unexpected(stored.error());
      auto decoded = decode_shown(key, *stored ? std::string_view(**stored) : std::string_view());
      if (!decoded) return tl::unexpected(decoded.error());
      shown = std::move(*decoded);
    }
    for (; at != leaving.end() && at->subscription == subscription &&
           row_keys::shown_first(at->sequence) == first;
         ++at) {
      const core::Pending& delivery = at->cell->delivery;
      const auto state = at->cell->state == ShownState::watched ? ShownState::offered : at->cell->state;
      shown[at->sequence] = {state, delivery.attempt, delivery.policy_version, delivery.offered_at,
                             at->cell->settled_at};
    }
    changes.push_back({std::move(key), encode(shown)});
  }
  return {};
}

std::shared_ptr<void> DeliveryRows::left() { return std::make_shared<Layer>(std::exchange(leaving_, {})); }

}  // namespace carehub::care
