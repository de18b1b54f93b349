#pragma once

#include <deque>
#include <map>

#include "broker/storage/state_store.hpp"

namespace carehub::care {

/// Rows to read: the store's own, or those of the folds that are ahead of it.
class RowReads {
 public:
  virtual ~RowReads() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  /// Rows whose key starts with `prefix` and is >= `from`, in key order, at most `rows_max`.
  virtual Result<std::vector<storage::Row>> scan(std::string_view prefix, std::string_view from,
                                                 std::size_t rows_max) const = 0;
};

/// What is durable, for questions about the past. As thread-safe as the store.
class StoredRows final : public RowReads {
 public:
  explicit StoredRows(const storage::StateStore& store) : store_(store) {}
  Result<std::optional<std::string>> get(std::string_view key) const override { return store_.get(key); }
  Result<std::vector<storage::Row>> scan(std::string_view prefix, std::string_view from,
                                         std::size_t rows_max) const override {
    return store_.scan(prefix, from, rows_max);
  }

 private:
  const storage::StateStore& store_;
};

/// The state store with the changes laid over it whose entries are not durable yet. For one thread.
class Rows final : public RowReads {
 public:
  explicit Rows(storage::StateStore& store) : store_(store) {}

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<std::vector<storage::Row>> scan(std::string_view prefix, std::string_view from,
                                         std::size_t rows_max) const override;

  /// Changes that belong to the entry that is being folded; end_entry() says which it was.
  void put(std::string key, std::string value);
  void remove(std::string key);
  void end_entry(Sequence sequence);

  /// Writes the changes of entries up to `head` to the store, together with `head` as the applied sequence.
  Result<void> write(Sequence head);

 private:
  struct Cell {
    std::optional<std::string> value;
    Sequence changed = 0;
  };
  struct Change {
    Sequence sequence = 0;
    storage::RowChange row;
  };
  void change(storage::RowChange row);

  storage::StateStore& store_;
  std::map<std::string, Cell, std::less<>> overlay_;
  std::deque<Change> unwritten_;
  std::size_t current_ = 0;  // changes of the entry that is being folded
};

}  // namespace carehub::care
