#pragma once

#include <deque>
#include <mutex>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/ledger.hpp"

namespace carehub::storage {

/// A ledger for tests and simulation. It models the disk: what is held is written but not synced, and crash()
/// forgets it. append() and the steering functions are for one thread; read() and head() are thread-safe.
class MemoryLedger final : public Ledger {
 public:
  void append(std::vector<SealedEntry> batch, Done done) override;
  Result<std::vector<SealedEntry>> read(Sequence from, std::size_t entries_max,
                                        std::size_t bytes_max) const override;
  Sequence head() const override;
  Result<Tile> tile(TileId id, std::size_t width) const override;
  Result<std::string> checkpoint() const override;
  Result<void> close() override;

  /// Checkpoints are signed with it from now on, each time one is asked for.
  void sign_with(const CheckpointSigner& signer);
  /// Appends wait from here on until they are released.
  void hold();
  /// Completes what waits, in order, and goes back to completing at once.
  void release();
  /// Completes the oldest batch that waits, if any; later ones keep waiting.
  void release_one();
  std::size_t held() const;
  /// The power goes off and on again: batches that wait are gone and their `done` is never called. What was
  /// synced is there, a failure or close() is over, and nothing is held.
  void crash();
  /// The next sync fails: every batch that waits and all later ones fail `unavailable` until crash().
  void fail_sync();
  /// Flips bits of one stored byte, for a test of what reads it. The place must exist.
  void damage(Sequence sequence, std::size_t byte, std::uint8_t mask);

 private:
  struct Pending {
    std::vector<SealedEntry> batch;
    Done done;
  };

  void store(const std::vector<SealedEntry>& batch);

  mutable std::mutex mutex_;  // queries read while the loop appends
  std::vector<Bytes> entries_;
  std::optional<CheckpointSigner> signer_;
  TileEdge tree_;  // never trimmed: it holds every tile
  std::deque<Pending> pending_;
  Sequence next_ = 1;  // counts the entries that wait, too
  bool holding_ = false;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace carehub::storage
