#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/core/known_child.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/state_store.hpp"

namespace carehub::care {

/// What was said of each child that decides who may see the child's events: one row a child, sealed under a
/// key of theirs. Layers over the store as Rows has them; what is in them is sealed as it leaves, and what
/// was opened lately is kept, so that a child who is heard of again costs no decryption. For one thread, but
/// for append_leaving().
class ChildFactsRows {
 public:
  /// Both outlive it. `sealer` may be missing where no such row is read or put.
  ChildFactsRows(const storage::StateStore& store, const storage::Sealer* sealer)
      : store_(store), sealer_(sealer) {}

  /// Oldest first; none where the child has been erased.
  Result<std::vector<core::ChildFact>> get(const PersonKey& person) const;
  /// `key_id`: the key of the child's under which the row is sealed.
  void put(const PersonKey& person, const KeyId& key_id, std::vector<core::ChildFact> facts);
  void remove(const PersonKey& person);

  /// Rows that have gathered.
  std::size_t gathered() const { return gathering_.size(); }
  void seal() { std::swap(leaving_, gathering_); }
  /// The rows of what leaves, in key order; on whatever thread. Where a key is gone nothing is left of its
  /// row, as in a rebuild that comes by a child who was erased later.
  Result<void> append_leaving(std::vector<storage::RowChange>& changes) const;
  std::shared_ptr<void> left() { return std::make_shared<Layer>(std::exchange(leaving_, {})); }

 private:
  struct Cell {
    KeyId key_id;
    std::vector<core::ChildFact> facts;  // none: there is no row
  };
  using Layer = std::unordered_map<PersonKey, Cell>;

  static constexpr std::size_t kRecentMax = 4096;  // of one of two generations

  const std::vector<core::ChildFact>* recent(const PersonKey& person) const;

  const storage::StateStore& store_;
  const storage::Sealer* sealer_;
  Layer gathering_;
  Layer leaving_;
  using Opened = std::unordered_map<PersonKey, std::vector<core::ChildFact>>;
  mutable Opened newer_;  // of rows that are in the store
  mutable Opened older_;
};

/// Of what is in the store. Oldest first; none where the child has been erased.
Result<std::vector<core::ChildFact>> stored_child_facts(const storage::StateStore& store,
                                                        const storage::Sealer& sealer,
                                                        const PersonKey& person);

}  // namespace carehub::care
