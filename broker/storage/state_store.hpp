#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

struct Row {
  std::string key;
  std::string value;
};

/// A put, or a removal when `value` is empty-optional.
struct RowChange {
  std::string key;
  std::optional<std::string> value;
};

/// Rows whose key starts so come in the order of entries, and change little later: an implementation may keep
/// them apart from what comes in no order.
constexpr std::string_view kOrderedRows = "o/";

/// State that folds make out of the ledger; it may be deleted and made again. Keys order by unsigned bytes.
/// Implementations: MemoryStateStore, RocksStateStore. Reads and sync() are thread-safe, apply() is for one
/// thread.
class StateStore {
 public:
  virtual ~StateStore() = default;

  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;

  /// Rows whose key starts with `prefix` and is >= `from`, in key order, at most `rows_max`.
  virtual Result<std::vector<Row>> scan(std::string_view prefix, std::string_view from,
                                        std::size_t rows_max) const = 0;

  /// Applies the changes atomically together with the applied sequence. Not synced: the ledger is what lasts.
  virtual Result<void> apply(const std::vector<RowChange>& changes, Sequence applied) = 0;

  /// What was applied so far outlives a crash from here on; beside apply() on another thread, too.
  /// `unavailable`: the disk.
  virtual Result<void> sync() = 0;

  /// The sequence up to which entries are folded in; 0 when new.
  virtual Sequence applied() const = 0;

  virtual Result<void> close() = 0;
};

}  // namespace carehub::storage
