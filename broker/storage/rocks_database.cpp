#include "broker/storage/rocks_database.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <vector>

#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_options.hpp"

namespace carehub::storage {
namespace {

const std::string kTreeFamily = "tree";
const std::string kTiledKey = "tiled";
const std::string kCheckpointKey = "checkpoint";
constexpr std::size_t kTilesPerBatch = 256;

rocksdb::Slice slice(BytesView bytes) {
  const std::string_view text = text_of(bytes);
  return {text.data(), text.size()};
}

}  // namespace

std::string tile_key(TileId id) { return static_cast<char>(id.level) + ledger_key(id.index); }

std::string describe_tile(TileId id) {
  const std::uint64_t entries = std::uint64_t{1} << (kTileHeight * (id.level + 1U));
  return tile_path(id) + " (over entries " + std::to_string(id.index * entries + 1) + " to " +
         std::to_string((id.index + 1) * entries) + ")";
}

rocksdb::Status LedgerDatabase::open(const std::filesystem::path& place, Mode mode,
                                     rocksdb::WALRecoveryMode recovery,
                                     std::unique_ptr<LedgerDatabase>& database) {
  rocksdb::Options options = ledger_options();
  options.wal_recovery_mode = recovery;
  options.create_if_missing = mode == Mode::write;
  options.create_missing_column_families = mode == Mode::write;
  bool tree = mode == Mode::write;
  if (mode == Mode::read_only) {
    std::vector<std::string> families;
    const auto listed = rocksdb::DB::ListColumnFamilies(options, place.string(), &families);
    if (!listed.ok()) return listed;
    tree = std::find(families.begin(), families.end(), kTreeFamily) != families.end();
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted = {{rocksdb::kDefaultColumnFamilyName, options}};
  if (tree) wanted.emplace_back(kTreeFamily, options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status =
      mode == Mode::write ? rocksdb::DB::Open(options, place.string(), wanted, &handles, &raw)
                          : rocksdb::DB::OpenForReadOnly(options, place.string(), wanted, &handles, &raw);
  if (!status.ok()) return status;
  std::unique_ptr<rocksdb::DB> opened(raw);
  opened->DestroyColumnFamilyHandle(handles.front());
  database.reset(new LedgerDatabase(place, std::move(opened), tree ? handles.back() : nullptr));
  return status;
}

Result<std::unique_ptr<LedgerDatabase>> LedgerDatabase::open_to_read(const std::filesystem::path& place,
                                                                     LogEnd& log_end) {
  using Recovery = rocksdb::WALRecoveryMode;
  std::unique_ptr<LedgerDatabase> database;
  rocksdb::Status status;
  for (const auto& [recovery, end] : {std::pair{Recovery::kAbsoluteConsistency, LogEnd::whole},
                                      std::pair{Recovery::kTolerateCorruptedTailRecords, LogEnd::unfinished},
                                      std::pair{Recovery::kPointInTimeRecovery, LogEnd::damaged}}) {
    log_end = end;
    status = open(place, Mode::read_only, recovery, database);
    if (!status.IsCorruption()) break;
  }
  if (!status.ok()) return rocks_error(status, place, "the ledger does not open");
  return database;
}

LedgerDatabase::~LedgerDatabase() {
  if (tree_ != nullptr) database_->DestroyColumnFamilyHandle(tree_);
}

rocksdb::Status LedgerDatabase::close() {
  if (tree_ != nullptr) database_->DestroyColumnFamilyHandle(tree_);
  tree_ = nullptr;
  return database_->Close();
}

Result<Tile> LedgerDatabase::full_tile(TileId id) const {
  std::string value;
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  const rocksdb::Status status =
      tree_ == nullptr ? rocksdb::Status::NotFound() : database_->Get(options, tree_, tile_key(id), &value);
  if (status.IsNotFound()) {
    return fail(ErrorKind::corrupt, place_.string() + ": " + describe_tile(id) + " is missing. " + kRestore);
  }
  if (!status.ok()) return rocks_error(status, place_, "cannot read " + describe_tile(id));
  Result<Tile> tile = parse_full_tile(bytes_of(value));
  if (tile) return tile;
  return fail(ErrorKind::corrupt,
              place_.string() + ": " + describe_tile(id) + " is damaged: " + tile.error().text);
}

Result<SealedEntry> LedgerDatabase::entry(Sequence sequence) const {
  std::string value;
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  const rocksdb::Status status =
      database_->Get(options, database_->DefaultColumnFamily(), ledger_key(sequence), &value);
  if (status.IsNotFound()) return missing_entry(place_, sequence);
  if (!status.ok())
    return rocks_error(status, place_, "cannot read ledger entry " + std::to_string(sequence));
  return decode(bytes_of(value), sequence);
}

Result<Hash> LedgerDatabase::leaf(std::uint64_t index) const {
  const Result<SealedEntry> stored = entry(index + 1);
  if (!stored) return tl::unexpected(stored.error());
  return stored->leaf;
}

Result<TileEdge> LedgerDatabase::edge(std::uint64_t size) const {
  return TileEdge::load(
      size, [this](TileId id) { return full_tile(id); }, [this](std::uint64_t index) { return leaf(index); });
}

rocksdb::Status LedgerDatabase::put_tile(rocksdb::WriteBatch& batch, TileId id,
                                         std::span<const Hash> hashes) const {
  return batch.Put(tree_, tile_key(id), slice(BytesView(hashes.front().data(), hashes.size_bytes())));
}

rocksdb::Status LedgerDatabase::put_checkpoint(rocksdb::WriteBatch& batch,
                                               const std::string& checkpoint) const {
  return batch.Put(tree_, kCheckpointKey, checkpoint);
}

Result<std::string> LedgerDatabase::checkpoint() const {
  std::string value;
  if (tree_ == nullptr) return value;
  const rocksdb::Status status = database_->Get({}, tree_, kCheckpointKey, &value);
  if (status.IsNotFound()) return std::string();
  if (!status.ok()) return rocks_error(status, place_, "cannot read the newest checkpoint");
  return value;
}

Result<bool> LedgerDatabase::tiled() const {
  if (tree_ == nullptr) return false;
  std::string value;
  const rocksdb::Status status = database_->Get({}, tree_, kTiledKey, &value);
  if (!status.ok() && !status.IsNotFound()) return rocks_error(status, place_, "cannot read the tree");
  return status.ok();
}

Result<void> LedgerDatabase::make_tiles(std::uint64_t size) const {
  TileEdge edge;
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  const auto write = [&](bool sync) {
    edge.for_each_full([&](TileId id, std::span<const Hash> hashes) {
      if (status.ok()) status = put_tile(batch, id, hashes);
    });
    edge.trim();
    rocksdb::WriteOptions options;
    options.sync = sync;
    if (status.ok()) status = database_->Write(options, &batch);
    batch.Clear();
    return status.ok();
  };
  Result<void> read = for_each_entry(*database_, place_, 1, size, [&](const SealedEntry& entry) {
    edge.append(entry.leaf);
    return edge.tree().size() % (kTilesPerBatch * kTileWidth) != 0 || write(false);
  });
  if (!read) return read;
  if (status.ok()) status = batch.Put(tree_, kTiledKey, "1");
  if (!status.ok() || !write(true)) return rocks_error(status, place_, "cannot write the tree's tiles");
  return {};
}

}  // namespace carehub::storage
