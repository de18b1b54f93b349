#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/storage/state_store.hpp"

namespace carehub::care {

/// Rows that are found by a keyed hash and never by their order: persons, whose an identifier is, messages
/// that came before. Layers over the store as Rows has them, without its order until they leave; the newest
/// persons and identifiers are kept in memory. For one thread, but for append_leaving().
class KeyedRows {
 public:
  explicit KeyedRows(const storage::StateStore& store);
  ~KeyedRows();
  KeyedRows(const KeyedRows&) = delete;
  KeyedRows& operator=(const KeyedRows&) = delete;

  /// Whether rows of this name are kept here.
  static bool keeps(std::string_view key);

  Result<std::optional<std::string>> get(std::string_view key) const;
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);

  /// Rows that have gathered.
  std::size_t gathered() const;
  void seal();
  /// The rows of what leaves, in key order; on whatever thread.
  void append_leaving(std::vector<storage::RowChange>& changes) const;
  std::shared_ptr<void> left();

 private:
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

}  // namespace carehub::care
