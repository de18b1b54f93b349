#pragma once

#include <filesystem>
#include <memory>

#include "broker/storage/state_store.hpp"

namespace carehub::storage {

/// State on this machine's disk: a RocksDB under <data>/state, without a log. Rows last once their table is
/// written, which happens at every 16 MB, at sync() and at close(): after a crash or a power cut the store is
/// a prefix of what was applied, and the rest is folded in again from the ledger.
class RocksStateStore final : public StateStore {
 public:
  /// Opens, or makes where there is nothing. `corrupt`: call destroy(), open again and fold the ledger from
  /// the start. `unavailable`: not writable, full, or in use by another hub.
  static Result<std::unique_ptr<RocksStateStore>> open(const std::filesystem::path& data_directory);

  /// Removes the store's files. `unavailable` when one cannot be removed. The store must not be open.
  static Result<void> destroy(const std::filesystem::path& data_directory);

  ~RocksStateStore() override;
  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<std::vector<Row>> scan(std::string_view prefix, std::string_view from,
                                std::size_t rows_max) const override;
  Result<void> apply(const std::vector<RowChange>& changes, Sequence applied) override;
  Result<void> sync() override;
  Sequence applied() const override;
  Result<void> close() override;

 private:
  struct Database;
  explicit RocksStateStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace carehub::storage
