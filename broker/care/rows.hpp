#pragma once

#include <deque>
#include <map>

#include "broker/storage/state_store.hpp"

namespace carehub::care {

/// The state store with the changes laid over it whose entries are not durable yet. For one thread.
class Rows {
 public:
  explicit Rows(storage::StateStore& store) : store_(store) {}

  Result<std::optional<std::string>> get(std::string_view key) const;
  /// Rows whose key starts with `prefix` and is >= `from`, in key order, at most `rows_max`.
  Result<std::vector<storage::Row>> scan(std::string_view prefix, std::string_view from,
                                         std::size_t rows_max) const;

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
