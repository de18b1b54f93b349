#include "broker/storage/memory_state_store.hpp"

#include <algorithm>
#include <mutex>

namespace carehub::storage {
namespace {

tl::unexpected<Error> closed_error() { return fail(ErrorKind::unavailable, "the state store is closed"); }

}  // namespace

Result<std::optional<std::string>> MemoryStateStore::get(std::string_view key) const {
  const std::shared_lock lock(mutex_);
  if (closed_) return closed_error();
  const auto found = rows_.find(key);
  if (found == rows_.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Result<std::vector<Row>> MemoryStateStore::scan(std::string_view prefix, std::string_view from,
                                                std::size_t rows_max) const {
  const std::shared_lock lock(mutex_);
  if (closed_) return closed_error();
  std::vector<Row> out;
  for (auto at = rows_.lower_bound(std::max(prefix, from)); at != rows_.end() && out.size() < rows_max;
       ++at) {
    if (!std::string_view(at->first).starts_with(prefix)) break;
    out.push_back({at->first, at->second});
  }
  return out;
}

Result<void> MemoryStateStore::apply(const std::vector<RowChange>& changes, Sequence applied) {
  const std::unique_lock lock(mutex_);
  if (closed_) return closed_error();
  put(rows_, changes);
  applied_ = applied;
  unsynced_.push_back({changes, applied});
  if (unsynced_.size() > kUnsyncedMax) sync_oldest();
  return {};
}

Sequence MemoryStateStore::applied() const {
  const std::shared_lock lock(mutex_);
  return applied_;
}

Result<void> MemoryStateStore::close() {
  const std::unique_lock lock(mutex_);
  while (!unsynced_.empty()) sync_oldest();
  closed_ = true;
  return {};
}

void MemoryStateStore::crash(std::size_t kept) {
  const std::unique_lock lock(mutex_);
  for (; kept > 0 && !unsynced_.empty(); --kept) sync_oldest();
  unsynced_.clear();
  rows_ = durable_;
  applied_ = durable_applied_;
  closed_ = false;
}

Result<void> MemoryStateStore::sync() {
  const std::unique_lock lock(mutex_);
  if (closed_) return closed_error();
  while (!unsynced_.empty()) sync_oldest();
  return {};
}

std::size_t MemoryStateStore::unsynced() const {
  const std::shared_lock lock(mutex_);
  return unsynced_.size();
}

void MemoryStateStore::put(Rows& rows, const std::vector<RowChange>& changes) {
  for (const RowChange& change : changes) {
    if (change.value) {
      rows.insert_or_assign(change.key, *change.value);
    } else {
      rows.erase(change.key);
    }
  }
}

void MemoryStateStore::sync_oldest() {
  put(durable_, unsynced_.front().changes);
  durable_applied_ = unsynced_.front().applied;
  unsynced_.pop_front();
}

}  // namespace carehub::storage
