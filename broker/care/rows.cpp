#include "broker/care/rows.hpp"

#include <array>
#include <tuple>
#include <utility>

#include "broker/base/assert.hpp"

namespace carehub::care {

/// The rows of both layers in key order; where both have one, the newer.
class Rows::Overlaid {
 public:
  Overlaid(const Layer& newer, const Layer& older, std::string_view prefix, std::string_view from)
      : prefix_(prefix),
        newer_{newer.lower_bound(std::max(from, prefix)), newer.end()},
        older_{older.lower_bound(std::max(from, prefix)), older.end()} {
    choose();
  }

  bool valid() const { return at_ != nullptr; }
  const std::string& key() const { return at_->first; }
  const std::optional<std::string>& value() const { return at_->second.value; }
  void next() {
    const std::string& passed = key();
    if (in(older_) && older_.at->first == passed) ++older_.at;
    if (in(newer_) && newer_.at->first == passed) ++newer_.at;
    choose();
  }

 private:
  struct Place {
    Layer::const_iterator at;
    Layer::const_iterator end;
  };
  bool in(const Place& place) const {
    return place.at != place.end && std::string_view(place.at->first).starts_with(prefix_);
  }
  void choose() {
    at_ = in(newer_) ? &*newer_.at : nullptr;
    if (in(older_) && (at_ == nullptr || older_.at->first < at_->first)) at_ = &*older_.at;
  }

  std::string_view prefix_;
  Place newer_;
  Place older_;
  const Layer::value_type* at_ = nullptr;
};

Result<std::optional<std::string>> Rows::get(std::string_view key) const {
  if (KeyedRows::keeps(key)) return keyed_.get(key);
  for (const Layer* layer : {&gathering_, &leaving_rows_}) {
    const auto found = layer->find(key);
    if (found != layer->end()) return found->second.value;
  }
  return store_.get(key);
}

Result<std::vector<storage::Row>> Rows::scan(std::string_view prefix, std::string_view from,
                                             std::size_t rows_max) const {
  std::vector<storage::Row> rows;
  Overlaid overlaid(gathering_, leaving_rows_, prefix, from);
  const auto take_overlaid = [&] {
    if (overlaid.value()) rows.push_back({overlaid.key(), *overlaid.value()});
    overlaid.next();
  };
  std::string start(from);
  bool stored_left = true;
  while (rows.size() < rows_max && stored_left) {
    auto stored = store_.scan(prefix, start, rows_max);
    if (!stored) return tl::unexpected(stored.error());
    stored_left = stored->size() == rows_max;
    for (auto& row : *stored) {
      while (rows.size() < rows_max && overlaid.valid() && overlaid.key() < row.key) take_overlaid();
      if (rows.size() == rows_max) return rows;
      if (stored_left && &row == &stored->back()) start = row.key + '\0';
      if (overlaid.valid() && overlaid.key() == row.key) {
        take_overlaid();
      } else {
        rows.push_back(std::move(row));
      }
    }
  }
  while (rows.size() < rows_max && overlaid.valid()) take_overlaid();
  return rows;
}

void Rows::put(std::string key, std::string value, Sequence born) {
  if (KeyedRows::keeps(key)) return keyed_.put(key, value);
  const auto [cell, made] = gathering_.try_emplace(std::move(key));
  if (made) cell->second.stored = born <= sealed_;
  cell->second.value = std::move(value);
}

void Rows::remove(const std::string& key) {
  if (KeyedRows::keeps(key)) return keyed_.remove(key);
  const auto [cell, made] = gathering_.try_emplace(key);
  if (!made && !cell->second.stored) {
    gathering_.erase(cell);
  } else {
    cell->second.value.reset();
  }
}

void Rows::seal(Sequence head) {
  CAREHUB_ASSERT(!leaving_, "one layer leaves at a time");
  std::swap(leaving_rows_, gathering_);
  keyed_.seal();
  child_facts_.seal();
  deliveries_.seal(head);
  leaving_ = true;
  sealed_ = head;
}

Result<void> Rows::write_leaving() const {
  std::vector<storage::RowChange> changes;
  changes.reserve(leaving_rows_.size());
  for (const auto& [key, cell] : leaving_rows_) changes.push_back({key, cell.value});
  keyed_.append_leaving(changes);
  if (auto appended = deliveries_.append_leaving(changes); !appended) return appended;
  if (auto appended = child_facts_.append_leaving(changes); !appended) return appended;
  return store_.apply(changes, sealed_);
}

std::shared_ptr<void> Rows::left() {
  leaving_ = false;
  return std::make_shared<std::tuple<Layer, std::array<std::shared_ptr<void>, 3>>>(
      std::exchange(leaving_rows_, {}), std::array{keyed_.left(), deliveries_.left(), child_facts_.left()});
}

}  // namespace carehub::care
