#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "broker/storage/entry.hpp"
#include "broker/storage/tiles.hpp"

namespace carehub::storage {

/// The ledger's RocksDB: entries in the default column family; in the family "tree" the full tiles of the
/// Merkle tree over them, under level u8 | index u64 big-endian, and the newest signed checkpoint. Both
/// families are flushed together, so that neither keeps the other's log files alive.
class LedgerDatabase {
 public:
  enum class Mode : std::uint8_t { read_only, write };

  /// Opens; with `write` makes what is missing. A database that was made before there were tiles has none in
  /// read-only mode: tree() is null then.
  static rocksdb::Status open(const std::filesystem::path& place, Mode mode,
                              rocksdb::WALRecoveryMode recovery, std::unique_ptr<LedgerDatabase>& database);

  /// How the log ends: `unfinished` in the middle of a record, as a power cut or a copy in use leaves it;
  /// `damaged` in one that is wrong, and nobody can tell what followed it.
  enum class LogEnd : std::uint8_t { whole, unfinished, damaged };
  /// Opens without changing anything, up to where the log is whole.
  static Result<std::unique_ptr<LedgerDatabase>> open_to_read(const std::filesystem::path& place,
                                                              LogEnd& log_end);
  ~LedgerDatabase();
  LedgerDatabase(const LedgerDatabase&) = delete;
  LedgerDatabase& operator=(const LedgerDatabase&) = delete;

  rocksdb::DB& entries() const { return *database_; }  // reads and writes of the default family
  rocksdb::ColumnFamilyHandle* tree() const { return tree_; }
  rocksdb::Status close();

  /// A full tile as stored. `corrupt` where it is missing or no tile: the text names it and its entries.
  Result<Tile> full_tile(TileId id) const;
  /// An entry that is stored. `corrupt` where it is missing or damaged.
  Result<SealedEntry> entry(Sequence sequence) const;
  /// Its leaf; `index` starts at 0.
  Result<Hash> leaf(std::uint64_t index) const;
  /// The right edge of the stored tree of that size, read from the tiles and up to 255 entries.
  Result<TileEdge> edge(std::uint64_t size) const;

  rocksdb::Status put_tile(rocksdb::WriteBatch& batch, TileId id, std::span<const Hash> hashes) const;
  rocksdb::Status put_checkpoint(rocksdb::WriteBatch& batch, const std::string& checkpoint) const;
  /// Empty where there is none.
  Result<std::string> checkpoint() const;

  /// True once every full tile of the entries has been stored; from then on each batch brings its own.
  Result<bool> tiled() const;
  /// Makes all full tiles of the first `size` entries, durably, and says that the database is tiled.
  Result<void> make_tiles(std::uint64_t size) const;

 private:
  LedgerDatabase(std::filesystem::path place, std::unique_ptr<rocksdb::DB> database,
                 rocksdb::ColumnFamilyHandle* tree)
      : place_(std::move(place)), database_(std::move(database)), tree_(tree) {}

  std::filesystem::path place_;
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* tree_;  // of database_; nullptr where there is no such family
};

/// The key of a tile in the family "tree".
std::string tile_key(TileId id);

/// Such as "tile/0/x001/067 (over entries 273153 to 273408)".
std::string describe_tile(TileId id);

}  // namespace carehub::storage
