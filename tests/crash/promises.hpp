#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/state_store.hpp"
#include "broker/storage/vault.hpp"
#include "tests/crash/disk.hpp"
#include "tests/fakes/seeded_random.hpp"

namespace carehub::crash {

/// How a hub's storage is used while it lives once.
struct Life {
  std::size_t batches = 10;
  std::size_t entry_bytes_max = 600;
  std::size_t appends_waiting_max = 3;
  bool closes = true;  // else it is left as it is after the last batch, to be cut
};

/// Ledger, state and vault on one disk through many lives, with a record of what was promised in each. Every
/// opening accounts for all of it; what is not as promised ends the test, with `seed` and the place.
class Promises {
 public:
  explicit Promises(std::uint64_t seed) : seed_(seed) {}

  /// Opens, accounts, catches the state up, appends, closes. The error is of the first thing that failed;
  /// after one, the ledger is asked to take more and must not.
  Result<void> live(const std::filesystem::path& data, const Life& life);

  /// Every entry that was receipted is there as it was written, or the ledger says that it is not.
  void require_nothing_hidden(const storage::Ledger& ledger) const;

  Sequence receipted() const { return receipted_; }
  Sequence attempted() const { return entries_.size(); }
  /// The sequences that each batch ended with.
  const std::set<Sequence>& batch_ends() const { return batch_ends_; }

 private:
  struct Stores;
  void account(const Stores& stores);
  void account_for_keys(const storage::Vault& vault) const;
  void account_for_state(const storage::StateStore& state) const;
  Result<void> catch_up(Stores& stores, std::size_t value_bytes) const;
  Result<void> append_some(Stores& stores, const Life& life, std::size_t batches);
  Result<std::vector<storage::SealedEntry>> make_batch(Stores& stores, const Life& life);
  void require_refusal(Stores& stores, const Life& life);

  const std::uint64_t seed_;
  fakes::SeededRandom random_{seed_};
  std::vector<Hash> entries_;  // of each entry as it was last given to the ledger, its encoded bytes' hash
  std::set<Sequence> batch_ends_{0};
  Sequence receipted_ = 0;
  bool ledger_failed_ = false;                          // in this life
  std::map<KeyId, std::array<std::uint8_t, 32>> keys_;  // that were handed out
};

/// Every entry, tile and checkpoint of a stopped hub's ledger verifies, from the first to the last.
void require_sound(const std::filesystem::path& data);

/// Rows that a fold over these entries makes.
storage::RowChange row_of(Sequence sequence, const Hash& entry, std::size_t value_bytes);

/// From CRASH_SEED where that is set, else the first so many.
std::vector<std::uint64_t> seeds(std::uint64_t count);

}  // namespace carehub::crash
