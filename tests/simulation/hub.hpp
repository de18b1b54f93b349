#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "broker/care/history.hpp"
#include "broker/server/loop.hpp"
#include "broker/storage/memory_ledger.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/simulation/block_vault.hpp"
#include "tests/simulation/county.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/verdict.hpp"

namespace carehub::simulation {

/// The real loop, engine and folds over disks that lose what was not synced, each on its own.
class Hub {
 public:
  /// `state_rows_min`: fewer rows wait before the state's disk is written to.
  Hub(std::uint64_t seed, std::size_t state_rows_min, fakes::HandClock& clock, Network& network,
      Verdict& verdict);
  ~Hub();

  /// From the next start on.
  void configure(const Setup& setup) { setup_ = setup; }
  bool up() const { return loop_ != nullptr; }
  /// Tries to come up: again later when its disk is full.
  void start();
  /// One step of the loop. A hub that stops by itself is down, and its supervisor starts it later.
  void step();
  /// The ledger's oldest write that waits is synced. False: there was none.
  bool sync_one();
  /// One piece of work of the thread that seals large batches. False: there was none.
  bool seal_one();
  /// One piece of work of the thread that looks for copies of the vault. False: there was none.
  bool look_for_copies();
  /// One piece of work of the thread that writes the state. False: there was none.
  bool write_state();
  /// Whether it says that its ledger and its vault do not belong together, and does not come up.
  bool refuses_to_start();
  /// The next sync fails.
  void fail_sync();
  /// The power goes: of what was written and not synced, each disk keeps as much as the dice say.
  void crash(Dice& dice);
  /// And the state is gone altogether, too.
  void lose_state(Dice& dice);

  BlockVault& vault() { return vault_; }
  const BlockVault& vault() const { return vault_; }
  const storage::Ledger& ledger() const { return ledger_; }
  /// Opens whatever the vault has the keys of.
  const storage::Sealer& reader() const { return reader_; }
  std::size_t unsynced() const { return ledger_.held(); }
  /// Whatever was decided so far is on the ledger's disk; only while it is up.
  bool all_synced() const { return state_->head() == ledger_.head(); }
  /// The loop's own counts; only while it is up.
  const server::Statistics& statistics() const { return loop_->statistics(); }
  /// The newest entry that was decided on; only while it is up.
  Sequence decided() const { return state_->head(); }
  /// All rows of the state, in key order.
  std::vector<storage::Row> rows() const;
  /// Whether the store has the rows of every entry that is synced.
  bool has_written_rows() const { return store_->applied() == ledger_.head(); }

 private:
  Result<void> try_start();
  void stop();

  fakes::HandClock& clock_;
  Network& network_;
  Verdict& verdict_;
  fakes::SeededRandom random_;
  storage::MemoryLedger ledger_;
  std::unique_ptr<storage::MemoryStateStore> store_;
  BlockVault vault_;
  storage::Sealer reader_;
  std::unique_ptr<storage::Sealer> sealer_;
  std::unique_ptr<care::State> state_;
  std::unique_ptr<care::History> history_;
  std::unique_ptr<core::Engine> engine_;
  std::unique_ptr<server::Loop> loop_;
  std::size_t state_rows_min_;
  Setup setup_;
  std::deque<std::function<void()>> state_work_;
  std::deque<std::function<void()>> seal_work_;
  std::deque<std::function<void()>> copies_work_;
};

}  // namespace carehub::simulation
