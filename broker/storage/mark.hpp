#pragma once

#include <optional>

#include "broker/storage/file.hpp"
#include "broker/storage/merkle.hpp"

namespace carehub::storage {

/// How much of the ledger was durable, told by a file outside the database, so that a lost tail is noticed.
///
/// Four slots of 4096 bytes: checkpoint, checkpoint, mark, mark; each kind is written in turn, so a write
/// that is torn leaves the one before it. A slot, little-endian: magic 8 | length u64 | payload | SHA-256 of
/// all before.
///   checkpoint payload: last leaf 32 | a serialised frontier. Synced when written.
///   mark payload:       size u64 | root 32. Within one sector, not synced by itself.
class Mark {
 public:
  struct State {
    MerkleFrontier checkpoint;
    Hash last_leaf{};        // of the checkpoint's last entry; zero when it is empty
    std::uint64_t size = 0;  // entries that were durable; never less than the checkpoint's
    Hash root{};             // of the tree of that size
    bool damaged = false;    // a slot was written once and cannot be read now
  };

  /// Opens and locks the file, or makes it where there is none. `unavailable` when another process has it.
  static Result<Mark> open(const std::filesystem::path& path);

  /// The same without the right to write; `not_found` where there is none.
  static Result<Mark> open_to_read(const std::filesystem::path& path);

  /// What the file says. Nothing when it was just made or holds no readable checkpoint.
  const std::optional<State>& found() const { return found_; }
  bool made() const { return made_; }

  /// After each sync of the ledger.
  Result<void> write_mark(const MerkleFrontier& tree);
  /// Writes a checkpoint and syncs it, and the last mark with it.
  Result<void> write_checkpoint(const MerkleFrontier& tree, const Hash& last_leaf);
  /// Forgets what was durable before: from now on it is this tree. For a person who accepts a loss.
  Result<void> reset(const MerkleFrontier& tree, const Hash& last_leaf);

 private:
  explicit Mark(File file) : file_(std::move(file)) {}
  Result<void> read();

  File file_;
  std::optional<State> found_;
  bool made_ = false;
  std::uint64_t next_checkpoint_slot_ = 0;
  std::uint64_t next_mark_slot_ = 2;
};

}  // namespace carehub::storage
