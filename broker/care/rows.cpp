#include "broker/care/rows.hpp"

#include <limits>

namespace carehub::care {
namespace {

constexpr Sequence kUnderWay = std::numeric_limits<Sequence>::max();

bool starts_with(std::string_view key, std::string_view prefix) {
  return key.substr(0, prefix.size()) == prefix;
}

}  // namespace

Result<std::optional<std::string>> Rows::get(std::string_view key) const {
  const auto found = overlay_.find(key);
  if (found != overlay_.end()) return found->second.value;
  return store_.get(key);
}

Result<std::vector<storage::Row>> Rows::scan(std::string_view prefix, std::string_view from,
                                             std::size_t rows_max) const {
  std::vector<storage::Row> rows;
  auto laid_over = overlay_.lower_bound(from > prefix ? from : prefix);
  const auto more_laid_over = [&] {
    return laid_over != overlay_.end() && starts_with(laid_over->first, prefix);
  };
  std::string start(from);
  bool stored_left = true;
  while (rows.size() < rows_max && stored_left) {
    auto stored = store_.scan(prefix, start, rows_max);
    if (!stored) return tl::unexpected(stored.error());
    stored_left = stored->size() == rows_max;
    for (auto& row : *stored) {
      while (rows.size() < rows_max && more_laid_over() && laid_over->first < row.key) {
        if (laid_over->second.value) rows.push_back({laid_over->first, *laid_over->second.value});
        ++laid_over;
      }
      if (rows.size() == rows_max) return rows;
      if (stored_left && &row == &stored->back()) start = row.key + '\0';
      if (more_laid_over() && laid_over->first == row.key) {
        if (laid_over->second.value) rows.push_back({laid_over->first, *laid_over->second.value});
        ++laid_over;
      } else {
        rows.push_back(std::move(row));
      }
    }
  }
  for (; rows.size() < rows_max && more_laid_over(); ++laid_over) {
    if (laid_over->second.value) rows.push_back({laid_over->first, *laid_over->second.value});
  }
  return rows;
}

void Rows::put(std::string key, std::string value) { change({std::move(key), std::move(value)}); }
void Rows::remove(std::string key) { change({std::move(key), std::nullopt}); }

void Rows::change(storage::RowChange row) {
  auto& cell = overlay_[row.key];
  cell.value = row.value;
  cell.changed = kUnderWay;
  unwritten_.push_back({kUnderWay, std::move(row)});
  ++current_;
}

void Rows::end_entry(Sequence sequence) {
  for (auto change = unwritten_.rbegin(); current_ > 0; ++change, --current_) {
    change->sequence = sequence;
    overlay_.find(change->row.key)->second.changed = sequence;
  }
}

Result<void> Rows::write(Sequence head) {
  std::vector<storage::RowChange> changes;
  auto end = unwritten_.begin();
  for (; end != unwritten_.end() && end->sequence <= head; ++end) {
    changes.push_back(std::move(end->row));
  }
  if (auto applied = store_.apply(changes, head); !applied) return applied;
  unwritten_.erase(unwritten_.begin(), end);
  for (const auto& change : changes) {
    const auto cell = overlay_.find(change.key);
    if (cell != overlay_.end() && cell->second.changed <= head) overlay_.erase(cell);
  }
  return {};
}

}  // namespace carehub::care
