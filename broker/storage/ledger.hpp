#pragma once

#include <functional>
#include <vector>

#include "broker/storage/entry.hpp"
#include "broker/storage/tiles.hpp"

namespace carehub::storage {

/// The append-only record. Implementations: MemoryLedger, RocksLedger; one contract test runs against all.
/// Nothing above this seam may assume that an append is local or returns at once.
class Ledger {
 public:
  using Done = std::function<void(Result<Sequence>)>;

  virtual ~Ledger() = default;

  /// Appends the batch as one: all of it or nothing. Sequences must follow the last append's without a gap.
  /// `done` is called exactly once, with the new head, and only when the batch is power-safe; on any thread,
  /// maybe before append returns. Batches complete in order. After a failure every later append fails
  /// `unavailable`: what the log holds is indeterminate until a restart.
  virtual void append(std::vector<SealedEntry> batch, Done done) = 0;

  /// Durable entries from `from` on, at most `entries_max` and, past the first, `bytes_max` of encoded size.
  /// Empty at the end. `corrupt` names the first sequence that is missing or differs. Thread-safe.
  virtual Result<std::vector<SealedEntry>> read(Sequence from, std::size_t entries_max,
                                                std::size_t bytes_max) const = 0;

  /// The last durable sequence; 0 when empty. Thread-safe.
  virtual Sequence head() const = 0;

  /// The first `width` hashes (1 to kTileWidth) of a tile of the Merkle tree over the entries, as C2SP
  /// tlog-tiles has them. `not_found` where the durable entries do not reach so far. Thread-safe.
  virtual Result<Tile> tile(TileId id, std::size_t width) const = 0;

  /// The newest signed checkpoint over durable entries, C2SP tlog-checkpoint. `not_found` where none are
  /// signed. Thread-safe.
  virtual Result<std::string> checkpoint() const = 0;

  /// Waits for appends under way, writes the mark and releases the files. Later calls fail `unavailable`.
  virtual Result<void> close() = 0;
};

}  // namespace carehub::storage
