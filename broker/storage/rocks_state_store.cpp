#include "broker/storage/rocks_state_store.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "broker/base/bytes.hpp"
#include "broker/storage/file.hpp"
#include "broker/storage/little_endian.hpp"
#include "broker/storage/rocks_options.hpp"

namespace carehub::storage {
namespace {

// Families are flushed as one, so that a flush can never tear rows and the applied sequence apart.
const std::string kOrderedFamily = "ordered";
constexpr char kRowPrefix = 'r';
constexpr std::string_view kAppliedKey = "applied";
constexpr std::string_view kVersionKey = "version";
constexpr std::string_view kVersion = "3";

/// Tables alone make the store last. An unsynced log can lose its middle or its end when the power goes and
/// keep what is behind it, in the next log, and then rows would be missing under an applied sequence that is
/// there.
rocksdb::WriteOptions without_log() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

tl::unexpected<Error> closed_error() { return fail(ErrorKind::unavailable, "the state store is closed"); }

std::filesystem::path place_in(const std::filesystem::path& data_directory) {
  return data_directory / "state";
}

std::string row_key(std::string_view key) {
  std::string out(1, kRowPrefix);
  out += key;
  return out;
}

/// Reads the applied sequence; writes the version into a store that is new.
Result<Sequence> read_applied(rocksdb::DB& database, const std::filesystem::path& place) {
  const std::string rebuild = ". Rebuild it from the ledger: carehub rebuild";
  std::string version;
  rocksdb::Status status = database.Get({}, rocksdb::Slice(kVersionKey), &version);
  if (status.IsNotFound()) {
    const std::unique_ptr<rocksdb::Iterator> at(database.NewIterator({}));
    at->SeekToFirst();
    if (at->Valid()) return fail(ErrorKind::corrupt, place.string() + ": rows without a version" + rebuild);
    if (!at->status().ok()) return rocks_error(at->status(), place, "cannot read the state");
    status = database.Put(without_log(), rocksdb::Slice(kVersionKey), rocksdb::Slice(kVersion));
    if (!status.ok()) return rocks_error(status, place, "cannot write the state");
    return Sequence{0};
  }
  if (!status.ok()) return rocks_error(status, place, "cannot read the state");
  if (version != kVersion) {
    return fail(ErrorKind::corrupt, place.string() + ": written by another version of the hub" + rebuild);
  }
  std::string applied;
  status = database.Get({}, rocksdb::Slice(kAppliedKey), &applied);
  if (status.IsNotFound()) return Sequence{0};
  if (!status.ok()) return rocks_error(status, place, "cannot read the state");
  if (applied.size() != sizeof(Sequence)) {
    return fail(ErrorKind::corrupt, place.string() + ": the applied sequence is damaged" + rebuild);
  }
  return get_little<Sequence>(bytes_of(applied).data());
}

}  // namespace

struct RocksStateStore::Database {
  std::filesystem::path place;
  mutable std::shared_mutex mutex;  // readers on other threads keep close() waiting
  std::unique_ptr<rocksdb::DB> rows;
  rocksdb::ColumnFamilyHandle* ordered = nullptr;
  std::atomic<Sequence> applied = 0;

  ~Database() { let_go(); }
  rocksdb::ColumnFamilyHandle* family_of(std::string_view key) const {
    return key.starts_with(kOrderedRows) ? ordered : rows->DefaultColumnFamily();
  }
  rocksdb::Status flush() const { return rows->Flush({}, {rows->DefaultColumnFamily(), ordered}); }
  rocksdb::Status scan(rocksdb::ColumnFamilyHandle* family, std::string_view prefix, std::string_view from,
                       std::size_t rows_max, std::vector<Row>& out) const;
  void let_go() {
    if (ordered != nullptr) rows->DestroyColumnFamilyHandle(std::exchange(ordered, nullptr));
  }
};

rocksdb::Status RocksStateStore::Database::scan(rocksdb::ColumnFamilyHandle* family, std::string_view prefix,
                                                std::string_view from, std::size_t rows_max,
                                                std::vector<Row>& out) const {
  const std::string wanted = row_key(prefix);
  const std::unique_ptr<rocksdb::Iterator> at(rows->NewIterator({}, family));
  for (at->Seek(row_key(std::max(prefix, from))); at->Valid() && out.size() < rows_max; at->Next()) {
    if (!at->key().starts_with(wanted)) break;
    out.push_back({at->key().ToString().substr(1), at->value().ToString()});
  }
  return at->status();
}

Result<std::unique_ptr<RocksStateStore>> RocksStateStore::open(const std::filesystem::path& data_directory) {
  auto database = std::make_unique<Database>();
  database->place = place_in(data_directory);
  for (const auto& directory : {data_directory, database->place}) {
    if (Result<void> made = make_writable_directory(directory); !made) return tl::unexpected(made.error());
  }
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = rocksdb::DB::Open(
      state_options(), database->place.string(),
      {{rocksdb::kDefaultColumnFamilyName, state_options()}, {kOrderedFamily, ordered_state_options()}},
      &handles, &raw);
  if (!status.ok()) return rocks_error(status, database->place, "the state does not open");
  database->rows.reset(raw);
  raw->DestroyColumnFamilyHandle(handles.front());
  database->ordered = handles.back();
  const Result<Sequence> applied = read_applied(*database->rows, database->place);
  if (!applied) return tl::unexpected(applied.error());
  database->applied = *applied;
  return std::unique_ptr<RocksStateStore>(new RocksStateStore(std::move(database)));
}

Result<void> RocksStateStore::destroy(const std::filesystem::path& data_directory) {
  std::error_code error;
  std::filesystem::remove_all(place_in(data_directory), error);
  if (error) {
    return fail(ErrorKind::unavailable,
                place_in(data_directory).string() + ": cannot remove the state: " + error.message());
  }
  return {};
}

RocksStateStore::RocksStateStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

RocksStateStore::~RocksStateStore() { static_cast<void>(close()); }

Result<std::optional<std::string>> RocksStateStore::get(std::string_view key) const {
  const std::shared_lock lock(database_->mutex);
  if (!database_->rows) return closed_error();
  std::string value;
  const rocksdb::Status status = database_->rows->Get({}, database_->family_of(key), row_key(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return rocks_error(status, database_->place, "cannot read a row of the state");
  return std::optional<std::string>(std::move(value));
}

Result<std::vector<Row>> RocksStateStore::scan(std::string_view prefix, std::string_view from,
                                               std::size_t rows_max) const {
  const std::shared_lock lock(database_->mutex);
  if (!database_->rows) return closed_error();
  const bool all = kOrderedRows.starts_with(prefix);
  std::vector<Row> out;
  rocksdb::Status status =
      database_->scan(all ? database_->ordered : database_->family_of(prefix), prefix, from, rows_max, out);
  if (all && status.ok()) {
    const auto ordered = static_cast<std::ptrdiff_t>(out.size());
    status = database_->scan(database_->rows->DefaultColumnFamily(), prefix, from, 2 * rows_max, out);
    std::inplace_merge(out.begin(), out.begin() + ordered, out.end(),
                       [](const Row& left, const Row& right) { return left.key < right.key; });
    out.resize(std::min(out.size(), rows_max));
  }
  if (!status.ok()) return rocks_error(status, database_->place, "cannot read rows of the state");
  return out;
}

Result<void> RocksStateStore::apply(const std::vector<RowChange>& changes, Sequence applied) {
  const std::shared_lock lock(database_->mutex);
  if (!database_->rows) return closed_error();
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const RowChange& change : changes) {
    const std::string key = row_key(change.key);
    auto* family = database_->family_of(change.key);
    status = change.value ? batch.Put(family, key, *change.value) : batch.Delete(family, key);
    if (!status.ok()) return rocks_error(status, database_->place, "cannot build a batch");
  }
  std::array<std::uint8_t, sizeof(Sequence)> number{};
  put_little(number.data(), applied);
  status = batch.Put(rocksdb::Slice(kAppliedKey), rocksdb::Slice(text_of(number)));
  if (status.ok()) status = database_->rows->Write(without_log(), &batch);
  if (!status.ok()) return rocks_error(status, database_->place, "cannot write the state");
  database_->applied = applied;
  return {};
}

Result<void> RocksStateStore::sync() {
  const std::shared_lock lock(database_->mutex);
  if (!database_->rows) return closed_error();
  const rocksdb::Status status = database_->flush();
  return status.ok() ? Result<void>() : rocks_error(status, database_->place, "cannot sync the state");
}

Sequence RocksStateStore::applied() const { return database_->applied; }

Result<void> RocksStateStore::close() {
  const std::unique_lock lock(database_->mutex);
  if (!database_->rows) return {};
  rocksdb::Status status = database_->flush();
  database_->let_go();
  const rocksdb::Status closed = database_->rows->Close();
  if (status.ok()) status = closed;
  database_->rows.reset();
  if (!status.ok()) return rocks_error(status, database_->place, "the state does not close");
  return {};
}

}  // namespace carehub::storage
