#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/rocks_backup.hpp"

namespace carehub::storage {

/// The ledger on this machine's disk: a RocksDB under <data>/ledger, and beside it the durable mark in
/// <data>/ledger.mark. One thread of its own writes and syncs; `done` is called on it. A `done` must not call
/// close(). A batch whose sequences do not follow is `invalid` and changes nothing; too many waiting batches
/// are `overloaded`.
class RocksLedger final : public Ledger {
 public:
  /// While entries arrive, no more time than this passes between two signed checkpoints.
  static constexpr std::chrono::seconds kCheckpointEvery{1};

  struct Opened {
    std::unique_ptr<RocksLedger> ledger;
    std::vector<std::string> notices;  // what was mended at start; for the operator's log
  };

  /// Opens, or makes where there is nothing. Nothing on disk is changed before the head has been found to
  /// reach mark and checkpoint and the entries since the checkpoint hash to the mark's root. An unfinished
  /// batch above the mark is dropped, with a notice. `corrupt` names the first sequence that is missing or
  /// differs; `unavailable`: not writable, full, or in use by another hub.
  /// With a signer, a checkpoint is signed at start, every kCheckpointEvery while entries arrive, and at
  /// close; it lies in the database and in <data>/checkpoint. With and without one the ledger must extend
  /// the last that was signed, by a key that <data>/checkpoint.keys lists.
  static Result<Opened> open(const std::filesystem::path& data_directory,
                             std::optional<CheckpointSigner> signer = {});

  ~RocksLedger() override;
  void append(std::vector<SealedEntry> batch, Done done) override;
  Result<std::vector<SealedEntry>> read(Sequence from, std::size_t entries_max,
                                        std::size_t bytes_max) const override;
  Sequence head() const override;
  Result<Tile> tile(TileId id, std::size_t width) const override;
  Result<std::string> checkpoint() const override;
  Result<void> close() override;

  /// Copies the database as it is now into the new directory `into`, while it is appended to: all that is
  /// durable now, and what becomes so meanwhile. close() waits for it. Thread-safe.
  Result<void> copy_to(const std::filesystem::path& into, const CopyTold& told) const;

 private:
  class Writer;
  explicit RocksLedger(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

}  // namespace carehub::storage
