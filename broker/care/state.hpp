#pragma once

#include <deque>
#include <memory>

#include "broker/core/state_reader.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/state_store.hpp"

/// Everything that is folded out of the ledger, behind what core reads. A fold depends only on entries in order.
namespace carehub::care {

/// One entry as a fold sees it.
struct FoldEntry {
  Sequence sequence = 0;
  Timestamp appended_at;
  storage::EntryKind kind;
  KeyId key_id;
  BytesView body;  // verified ledger::Body; empty when erased
};

/// The state store with the rows of entries that are not durable yet laid over it. For the loop's thread alone.
class State final : public core::StateReader, public core::Journal {
 public:
  State(storage::StateStore& store, const storage::Ledger& ledger, const storage::Sealer& sealer);
  ~State() override;

  /// Folds in what the ledger holds beyond the store's applied sequence; `progress(done, all)` now and then.
  Result<void> catch_up(const std::function<void(Sequence, Sequence)>& progress);

  /// What the engine needs at start.
  Result<core::EngineState> engine_state() const;

  /// Entries appended since the last call, in order, with sequence and time, to be sealed and written.
  struct Drafted {
    Sequence sequence;
    Timestamp at;
    core::NewEntry entry;
  };
  std::vector<Drafted> take_batch();

  /// The ledger holds everything up to `head` now: the overlay's rows up to it go to the store.
  Result<void> durable(Sequence head);

  Result<core::KnownPublication> publication(const Fingerprint& fingerprint, const KeyedHash& identity) const override;
  Result<std::vector<std::optional<PersonKey>>> linked(const std::vector<KeyedHash>& identifiers) const override;
  Result<std::optional<core::PersonRecord>> person(const PersonKey& key) const override;
  Result<std::vector<core::Pending>> pending(const std::string& subscription, Sequence after,
                                             std::size_t rows_max) const override;
  Result<std::vector<core::Pending>> pending_of(const std::string& subscription, const PersonKey& person,
                                                Sequence after, std::size_t rows_max) const override;
  Result<Bytes> body(Sequence sequence) const override;
  Sequence append(core::NewEntry entry, Timestamp at) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::care
