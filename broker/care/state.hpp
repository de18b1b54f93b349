#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "broker/care/fold_entry.hpp"
#include "broker/core/state_reader.hpp"
#include "broker/core/work_note.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/state_store.hpp"

/// Everything that is folded out of the ledger, behind what core reads. A fold depends only on entries in
/// order.
namespace carehub::care {

/// The state store with the rows of entries that are not durable yet laid over it. For the loop's thread
/// alone.
class State final : public core::StateReader, public core::Journal {
 public:
  /// The keys that an Erasure names are withdrawn from the sealer once it is folded.
  State(storage::StateStore& store, const storage::Ledger& ledger, storage::Sealer& sealer);
  ~State() override;

  /// Folds in what the ledger holds beyond the store's applied sequence; `progress(done, all)` now and then.
  /// Call it once, before anything else. Error `corrupt`: the store is ahead of the ledger, or an entry, or
  /// one of the newest whether folded or not, does not open: the vault may be older than the ledger.
  /// What `note` says is not to be begun again is passed over: as if that entry could not be read.
  Result<void> catch_up(const std::function<void(Sequence, Sequence)>& progress,
                        core::WorkNote* note = nullptr);

  /// Keys that the ledger says are to be gone; the vault may still have them: it may have been cut short, or
  /// be an older one. Destroy them before anything is served.
  Result<std::vector<KeyId>> erased_keys() const;

  /// What the engine needs at start.
  Result<core::EngineState> engine_state() const;

  /// Entries appended since the last call, in order, with sequence and time, to be sealed and written.
  struct Drafted {
    Sequence sequence;
    Timestamp at;
    core::NewEntry entry;
  };
  std::vector<Drafted> take_batch();

  /// What take_batch() would give now, so that the loop can end a batch within its limits.
  struct BatchSize {
    std::size_t entries = 0;
    std::size_t bytes = 0;
  };
  BatchSize batch_size() const;

  /// How rows go into the store. The default writes them at once, on the caller's thread.
  struct WritePace {
    std::size_t rows_min = 0;  // fewer wait for flush(): what comes and goes meanwhile is never written
    /// Runs one piece of work after the other on a thread of its own. Outlives the state.
    std::function<void(std::function<void()>)> run_apart;
    std::function<void()> written;  // called there after each write
  };
  void set_pace(WritePace pace);

  /// The ledger holds everything up to `head` now: rows of entries up to it may go to the store. An error
  /// that a fold or a write met since the last call comes back here, too: stop then.
  Result<void> durable(Sequence head);
  /// Rows of all entries so far go to the store as soon as these are durable.
  Result<void> flush();
  /// What the store has been given outlives a crash from here on. Error `unavailable`: its disk.
  Result<void> sync();
  /// What questions about the past see: the store holds the folds of entries up to this one.
  Sequence written() const;
  /// More rows wait for the store than is good for memory: append no more until some are written.
  bool is_full() const;

  /// The newest entry, durable or not.
  Sequence head() const override;

  Result<core::KnownPublication> publication(const Fingerprint& fingerprint,
                                             const KeyedHash& identity) const override;
  Result<std::vector<std::optional<PersonKey>>> linked(
      const std::vector<KeyedHash>& identifiers) const override;
  Result<std::vector<Sequence>> links_naming(const KeyedHash& identifier,
                                             std::size_t rows_max) const override;
  Result<std::optional<core::PersonRecord>> person(const PersonKey& key) const override;
  Result<std::vector<core::ChildFact>> child_facts(const PersonKey& key) const override;
  Result<std::vector<core::Pending>> pending(const std::string& subscription, Sequence after,
                                             std::size_t rows_max) const override;
  Result<std::vector<core::Pending>> pending_of(const std::string& subscription, const PersonKey& person,
                                                Sequence after, std::size_t rows_max) const override;
  Result<std::optional<core::Pending>> dead_letter(const std::string& subscription,
                                                   Sequence sequence) const override;
  Result<std::optional<KeyId>> day_key(const std::string& purpose, std::int64_t day) const override;
  Result<core::StoredBody> body(Sequence sequence) const override;
  Result<bool> was_offered(const std::string& subscription, Sequence sequence) const override;
  Result<bool> has_gaps(const std::string& subscription) const override;
  Result<core::ReplayCounts> replay_counts(const std::string& replay) const override;
  Sequence append(core::NewEntry entry, Timestamp at) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Do the ledger's entries from `from` on open, and the newest in any case? `corrupt` where one does not: the
/// ledger is damaged, or the vault is older than it.
Result<void> try_entries(const storage::Ledger& ledger, const storage::Sealer& sealer, Sequence from);

}  // namespace carehub::care
