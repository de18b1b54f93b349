#pragma once

#include <map>
#include <memory>

#include "broker/care/child_facts_rows.hpp"
#include "broker/care/delivery_rows.hpp"
#include "broker/care/keyed_rows.hpp"
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

/// What is in the store, for questions about the past. As thread-safe as the store.
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

/// The state store with two layers of changes over it: `gathering`, where folds write, and `leaving`, which
/// is on its way into the store and changes no more. A row that comes and goes while its layer gathers never
/// reaches the store. For one thread, but for write_leaving().
class Rows final : public RowReads {
 public:
  /// `sealer`: of what is known of children; it may be missing where no such row is read or put.
  explicit Rows(storage::StateStore& store, const storage::Sealer* sealer = nullptr)
      : store_(store),
        deliveries_(store),
        keyed_(store),
        child_facts_(store, sealer),
        sealed_(store.applied()) {}

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<std::vector<storage::Row>> scan(std::string_view prefix, std::string_view from,
                                         std::size_t rows_max) const override;

  /// `born`: the entry before which there was no such row; 0 when there may have been one.
  void put(std::string key, std::string value, Sequence born = 0);
  void remove(const std::string& key);

  /// Rows of pending deliveries, of what was shown and of what is known of children are kept apart; get() and
  /// scan() lack those that are not in the store. So are those of persons, identifiers and messages, which
  /// get() alone has.
  DeliveryRows& deliveries() { return deliveries_; }
  const DeliveryRows& deliveries() const { return deliveries_; }
  ChildFactsRows& child_facts() { return child_facts_; }
  const ChildFactsRows& child_facts() const { return child_facts_; }

  /// Rows that have gathered.
  std::size_t gathered() const {
    return gathering_.size() + deliveries_.gathered() + keyed_.gathered() + child_facts_.gathered();
  }
  bool leaving() const { return leaving_; }
  /// The entry up to which the store has the folds once what leaves has been written.
  Sequence sealed() const { return sealed_; }

  /// What has gathered is all of the entries up to `head`; it starts to leave. Nothing may be leaving yet.
  void seal(Sequence head);
  /// Writes what leaves into the store, on whatever thread; reads go on meanwhile.
  Result<void> write_leaving() const;
  /// It has been written. What comes back only has to be let go, which takes a while: best elsewhere.
  std::shared_ptr<void> left();

 private:
  struct Cell {
    std::optional<std::string> value;
    bool stored = true;  // the layers below may hold such a row, too
  };
  using Layer = std::map<std::string, Cell, std::less<>>;
  class Overlaid;

  storage::StateStore& store_;
  DeliveryRows deliveries_;
  KeyedRows keyed_;
  ChildFactsRows child_facts_;
  Layer gathering_;
  Layer leaving_rows_;
  bool leaving_ = false;
  Sequence sealed_ = 0;
};

}  // namespace carehub::care
