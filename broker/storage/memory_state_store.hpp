#pragma once

#include <deque>
#include <map>
#include <shared_mutex>

#include "broker/storage/state_store.hpp"

namespace carehub::storage {

/// A state store for tests and simulation. It models the unsynced log: crash() takes back the newest applies.
class MemoryStateStore final : public StateStore {
 public:
  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<std::vector<Row>> scan(std::string_view prefix, std::string_view from,
                                std::size_t rows_max) const override;
  Result<void> apply(const std::vector<RowChange>& changes, Sequence applied) override;
  Result<void> sync() override;
  Sequence applied() const override;
  Result<void> close() override;

  /// The power goes off and on again: all but the first `kept` of the applies since the last sync are gone.
  void crash(std::size_t kept);
  std::size_t unsynced() const;

  /// Older applies are synced by themselves.
  static constexpr std::size_t kUnsyncedMax = 64;

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;
  struct Applied {
    std::vector<RowChange> changes;
    Sequence applied = 0;
  };
  static void put(Rows& rows, const std::vector<RowChange>& changes);
  void sync_oldest();

  mutable std::shared_mutex mutex_;  // queries read while the loop applies
  Rows rows_;
  Sequence applied_ = 0;
  Rows durable_;
  Sequence durable_applied_ = 0;
  std::deque<Applied> unsynced_;
  bool closed_ = false;
};

}  // namespace carehub::storage
