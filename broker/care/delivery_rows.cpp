#include "broker/care/delivery_rows.hpp"

#include <algorithm>

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

std::string encode(const ShownRow& row) {
  return RowWriter()
      .number(static_cast<std::uint8_t>(row.state))
      .number(row.attempt)
      .number(row.policy_version)
      .time(row.offered_at.us)
      .time(row.settled_at.us)
      .take();
}

Result<ShownRow> decode_shown(std::string_view row) {
  RowReader reader(row);
  ShownRow shown;
  shown.state = static_cast<ShownState>(reader.number<std::uint8_t>());
  shown.attempt = reader.number<std::uint32_t>();
  shown.policy_version = reader.number<std::uint64_t>();
  shown.offered_at = {reader.time()};
  shown.settled_at = {reader.time()};
  if (!reader.ok()) return cut_short("a disclosure's");
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
  sealed_ = head;
}

/// In key order, kind by kind: a store takes in what is sorted for half the work.
void DeliveryRows::append_leaving(std::vector<storage::RowChange>& changes) const {
  struct Leaving {
    Sequence sequence;
    const std::string* subscription;
    const Cell* cell;
  };
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
  // The names of one event's shelves are in order already.
  std::ranges::stable_sort(leaving, {}, &Leaving::sequence);
  for (const auto& each : leaving) {
    const core::Pending& delivery = each.cell->delivery;
    changes.push_back({row_keys::shown(each.sequence, *each.subscription),
                       encode(ShownRow{each.cell->state, delivery.attempt, delivery.policy_version,
                                       delivery.offered_at, each.cell->settled_at})});
  }
}

std::shared_ptr<void> DeliveryRows::left() { return std::make_shared<Layer>(std::exchange(leaving_, {})); }

}  // namespace carehub::care
