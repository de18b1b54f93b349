#include "broker/storage/rocks_ledger.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "broker/base/limits.hpp"
#include "broker/storage/append_check.hpp"
#include "broker/storage/mark.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/rocks_tree_check.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kQueueBatchesMax = 64;
constexpr std::size_t kSyncBytesMax = limits::kBatchBytesMax;  // of the batches that share one sync

tl::unexpected<Error> closed_error() { return fail(ErrorKind::unavailable, "the ledger is closed"); }

}  // namespace

/// Owns the database and the thread that writes it. Invariant: what `head_` tells is synced and under the
/// mark.
class RocksLedger::Writer {
 public:
  Writer(std::filesystem::path place, std::unique_ptr<LedgerDatabase> database, Mark mark,
         CheckedLedger checked, std::optional<CheckpointSigner> signer)
      : place_(std::move(place)),
        signer_(std::move(signer)),
        mark_(std::move(mark)),
        last_leaf_(checked.last_leaf),
        checkpoint_size_(checked.edge.tree().size()),
        edge_(std::move(checked.edge)),
        database_(std::move(database)),
        next_(edge_.tree().size() + 1),
        head_(edge_.tree().size()) {}

  /// Signs what is there, and begins to write what comes. Call it once.
  Result<void> start() {
    if (Result<void> done = sign(); !done) return done;
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void append(std::vector<SealedEntry> batch, Done done) {
    Result<void> taken;
    {
      const std::lock_guard lock(mutex_);
      taken = take(batch, done);
    }
    if (taken) {
      wake_.notify_one();
    } else {
      done(tl::unexpected(taken.error()));
    }
  }

  Result<std::vector<SealedEntry>> read(Sequence from, std::size_t entries_max, std::size_t bytes_max) const {
    const std::shared_lock lock(database_mutex_);
    if (!database_) return closed_error();
    std::vector<SealedEntry> out;
    if (entries_max == 0) return out;
    std::size_t bytes = 0;
    const Result<void> read = for_each_entry(database_->entries(), place_, std::max<Sequence>(from, 1), head_,
                                             [&](SealedEntry entry) {
                                               bytes += encoded_size(entry);
                                               if (!out.empty() && bytes > bytes_max) return false;
                                               out.push_back(std::move(entry));
                                               return out.size() < entries_max;
                                             });
    if (!read) return tl::unexpected(read.error());
    return out;
  }

  Sequence head() const { return head_; }

  Result<Tile> tile(TileId id, std::size_t width) const {
    const std::shared_lock lock(database_mutex_);
    if (!database_) return closed_error();
    const std::uint64_t hashes = hashes_at(id.level, head_);
    if (width < 1 || width > kTileWidth || id.index > hashes / kTileWidth ||
        id.index * kTileWidth + width > hashes) {
      return fail(ErrorKind::not_found, "the ledger has no such tile yet");
    }
    {
      const std::lock_guard edge_lock(edge_mutex_);
      if (auto open = edge_.tile(id, width)) return *std::move(open);
    }
    Result<Tile> stored = database_->full_tile(id);
    if (stored) stored->resize(width);
    return stored;
  }

  Result<std::string> signed_checkpoint() const {
    const std::shared_lock lock(database_mutex_);
    if (!database_) return closed_error();
    const std::lock_guard edge_lock(edge_mutex_);
    if (signed_.empty()) return fail(ErrorKind::not_found, "no key signs this ledger's checkpoints");
    return signed_;
  }

  Result<void> copy_to(const std::filesystem::path& into, const CopyTold& told) const {
    const std::shared_lock lock(database_mutex_);
    if (!database_) return closed_error();
    return copy_database(database_->entries(), place_, into, told);
  }

  Result<void> close() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    const std::unique_lock lock(database_mutex_);
    if (!database_) return {};
    const rocksdb::Status status = database_->close();
    database_.reset();
    mark_.reset();
    if (failure_) return tl::unexpected(*failure_);
    if (!status.ok()) return rocks_error(status, place_, "the ledger does not close");
    return {};
  }

 private:
  struct Pending {
    std::vector<SealedEntry> batch;
    Done done;
  };

  Result<void> take(std::vector<SealedEntry>& batch, Done& done) {
    if (failure_) return tl::unexpected(*failure_);
    if (closing_) return closed_error();
    if (queue_.size() >= kQueueBatchesMax) {
      return fail(ErrorKind::overloaded,
                  place_.string() + ": too many appends wait for the disk: append later");
    }
    if (Result<void> fits = check_batch(batch, next_); !fits) return fits;
    next_ += batch.size();
    queue_.push_back({std::move(batch), std::move(done)});
    return {};
  }

  void run() {
    while (true) {
      std::vector<Pending> batches;
      bool closing = false;
      {
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return !queue_.empty() || closing_; };
        if (!failure_ && edge_.tree().size() > checkpoint_size_) {
          wake_.wait_until(lock, checkpoint_at_ + kCheckpointEvery, ready);
        } else {
          wake_.wait(lock, ready);
        }
        batches = take_for_one_sync();
        closing = closing_ && batches.empty();
      }
      if (!batches.empty()) complete(batches, write(batches));
      if (closing || std::chrono::steady_clock::now() - checkpoint_at_ >= kCheckpointEvery) checkpoint();
      if (closing) return;
    }
  }

  std::vector<Pending> take_for_one_sync() {
    std::vector<Pending> batches;
    std::size_t bytes = 0;
    while (!queue_.empty()) {
      for (const SealedEntry& entry : queue_.front().batch) bytes += encoded_size(entry);
      if (!batches.empty() && bytes > kSyncBytesMax) break;
      batches.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return batches;
  }

  Result<void> write(const std::vector<Pending>& batches) {
    rocksdb::WriteBatch rows;
    for (const Pending& pending : batches) {
      for (const SealedEntry& entry : pending.batch) {
        const std::string_view value = text_of(buffer_ = encode(entry));
        const rocksdb::Status put = rows.Put(ledger_key(entry.header.sequence), value);
        if (!put.ok()) return rocks_error(put, place_, "cannot build a batch");
      }
    }
    rocksdb::Status status = add_tiles(batches, rows);
    if (!status.ok()) return rocks_error(status, place_, "cannot build a batch");
    rocksdb::WriteOptions options;
    options.sync = true;
    status = database_->entries().Write(options, &rows);
    if (!status.ok()) return rocks_error(status, place_, "cannot append to the ledger");
    last_leaf_ = batches.back().batch.back().leaf;
    return mark_->write_mark(edge_.tree());
  }

  /// The leaves join the tree, and the tiles that they complete join the batch. Until it is synced nobody is
  /// shown any of it: head_ bounds every reader.
  rocksdb::Status add_tiles(const std::vector<Pending>& batches, rocksdb::WriteBatch& rows) {
    const std::lock_guard lock(edge_mutex_);
    edge_.trim();  // what the last batch completed is stored
    for (const Pending& pending : batches) {
      for (const SealedEntry& entry : pending.batch) edge_.append(entry.leaf);
    }
    rocksdb::Status status;
    edge_.for_each_full([&](TileId id, std::span<const Hash> hashes) {
      if (status.ok()) status = database_->put_tile(rows, id, hashes);
    });
    return status;
  }

  void complete(std::vector<Pending>& batches, const Result<void>& written) {
    if (!written) {
      fail_for_good(batches, written.error());
      return;
    }
    head_ = edge_.tree().size();
    for (Pending& pending : batches) pending.done(pending.batch.back().header.sequence);
  }

  void fail_for_good(std::vector<Pending>& batches, const Error& error) {
    std::deque<Pending> waiting;
    {
      const std::lock_guard lock(mutex_);
      // Whatever the reason, only a restart can tell what the log holds.
      failure_ =
          Error{ErrorKind::unavailable, error.text + ". The hub accepts nothing more until it is restarted"};
      waiting.swap(queue_);
    }
    for (Pending& pending : batches) pending.done(tl::unexpected(*failure_));
    for (Pending& pending : waiting) pending.done(tl::unexpected(*failure_));
  }

  void checkpoint() {
    if (failure_ || edge_.tree().size() == checkpoint_size_) return;
    checkpoint_at_ = std::chrono::steady_clock::now();
    Result<void> written = mark_->write_checkpoint(edge_.tree(), last_leaf_);
    if (written) written = sign();
    if (!written) {
      std::vector<Pending> none;
      fail_for_good(none, written.error());
      return;
    }
    checkpoint_size_ = edge_.tree().size();
  }

  /// What is signed has been synced. The row in the database is synced with the next batch.
  Result<void> sign() {
    if (!signer_) return {};
    std::string text = signer_->sign(edge_.tree().size(), edge_.tree().root());
    rocksdb::WriteBatch row;
    rocksdb::Status status = database_->put_checkpoint(row, text);
    if (status.ok()) status = database_->entries().Write({}, &row);
    if (!status.ok()) return rocks_error(status, place_, "cannot write the signed checkpoint");
    if (Result<void> put = replace_public_file(place_.parent_path() / kCheckpointFile, text); !put)
      return put;
    const std::lock_guard lock(edge_mutex_);
    signed_ = std::move(text);
    return {};
  }

  const std::filesystem::path place_;
  const std::optional<CheckpointSigner> signer_;

  // Of the writer's thread, once it runs.
  std::optional<Mark> mark_;  // empty once closed: that releases the file
  Hash last_leaf_;
  std::uint64_t checkpoint_size_;
  std::chrono::steady_clock::time_point checkpoint_at_ = std::chrono::steady_clock::now();
  Bytes buffer_;

  mutable std::mutex edge_mutex_;  // readers of tiles on other threads; only the writer's thread changes it
  TileEdge edge_;
  std::string signed_;  // the newest checkpoint; under the same mutex

  mutable std::shared_mutex database_mutex_;  // readers on other threads keep close() waiting
  std::unique_ptr<LedgerDatabase> database_;

  std::mutex mutex_;  // the queue is where the loop and this thread meet
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  Sequence next_;
  bool closing_ = false;
  std::optional<Error> failure_;  // written once, by the writer's thread

  std::atomic<Sequence> head_;
  std::thread thread_;
};

namespace {

/// What the mark says, after what can be told without looking into the database.
Result<Mark::State> expected_state(Mark& mark, const std::filesystem::path& place, bool exists) {
  if (mark.found()) {
    if (!exists && mark.found()->size > 0) return missing_entry(place, 1);
    return *mark.found();
  }
  if (exists) {
    return fail(ErrorKind::corrupt,
                place.string() +
                    ".mark is unreadable, so nobody can tell whether the ledger is whole. Restore it from a "
                    "backup, or let a person decide: carehub recover --accept-loss");
  }
  if (Result<void> written = mark.write_checkpoint({}, {}); !written) return tl::unexpected(written.error());
  return Mark::State{
      .checkpoint = {}, .last_leaf = {}, .size = 0, .root = MerkleFrontier().root(), .damaged = false};
}

/// For a ledger that is new, or was made before there were tiles.
Result<void> add_missing_tiles(const LedgerDatabase& database, CheckedLedger& checked,
                               std::vector<std::string>& notices) {
  if (Result<void> made = database.make_tiles(checked.tree.size()); !made) return made;
  Result<TileEdge> edge = database.edge(checked.tree.size());
  if (!edge) return tl::unexpected(edge.error());
  if (edge->tree().root() != checked.tree.root()) {
    return fail(ErrorKind::corrupt,
                "ledger entries before the last checkpoint are not those that were written: their root hash "
                "differs from the mark's. Restore the data directory from a backup");
  }
  checked.edge = std::move(*edge);
  if (checked.tree.size() > 0) {
    notices.push_back("the tiles of the Merkle tree were missing; they are made from " +
                      std::to_string(checked.tree.size()) + " entries");
  }
  return {};
}

}  // namespace

Result<RocksLedger::Opened> RocksLedger::open(const std::filesystem::path& data_directory,
                                              std::optional<CheckpointSigner> signer) {
  const std::filesystem::path place = data_directory / "ledger";
  const std::filesystem::path mark_file = data_directory / "ledger.mark";
  for (const auto& directory : {data_directory, place}) {
    if (Result<void> made = make_writable_directory(directory); !made) return tl::unexpected(made.error());
  }
  std::error_code error;
  const bool exists = std::filesystem::exists(place / "CURRENT", error);
  if (exists && !std::filesystem::exists(mark_file, error)) {
    return fail(ErrorKind::corrupt,
                mark_file.string() +
                    " is missing, so nobody can tell whether the ledger is whole. Restore it from a "
                    "backup, or let a person decide: carehub recover --accept-loss");
  }
  Result<Mark> mark = Mark::open(mark_file);
  if (!mark) return tl::unexpected(mark.error());
  const Result<Mark::State> state = expected_state(*mark, place, exists);
  if (!state) return tl::unexpected(state.error());

  const Result<SignedState> signed_state = read_signed_state(data_directory);
  if (!signed_state) return tl::unexpected(signed_state.error());

  Opened opened;
  CheckedLedger checked;
  if (exists) {
    Result<CheckedLedger> looked = check_ledger(place, *state, *signed_state);
    if (!looked) return tl::unexpected(looked.error());
    checked = std::move(*looked);
  }
  if (state->damaged)
    opened.notices.push_back(mark_file.string() + ": one slot was torn; the other one holds");
  if (checked.unfinished) {
    opened.notices.push_back(
        place.string() + ": the log ended in an unfinished or damaged batch after entry " +
        std::to_string(checked.tree.size()) + ", which was dropped; the mark does not know of it");
  }

  const auto recovery = checked.unfinished ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                           : rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  std::unique_ptr<LedgerDatabase> database;
  const rocksdb::Status status = LedgerDatabase::open(place, LedgerDatabase::Mode::write, recovery, database);
  if (!status.ok()) return rocks_error(status, place, "the ledger does not open for writing");
  const Result<Sequence> head = last_sequence(database->entries(), place);
  if (!head) return tl::unexpected(head.error());
  if (*head != checked.tree.size()) return missing_entry(place, std::min(*head, checked.tree.size()) + 1);
  if (!checked.tiled) {
    Result<void> tiled = add_missing_tiles(*database, checked, opened.notices);
    if (tiled) tiled = check_signed(*database, place, checked.edge, *signed_state);
    if (!tiled) return tl::unexpected(tiled.error());
  }
  if (Result<void> synced = sync_directory(data_directory); !synced) return tl::unexpected(synced.error());
  if (Result<void> written = mark->write_checkpoint(checked.tree, checked.last_leaf); !written) {
    return tl::unexpected(written.error());
  }
  auto writer = std::make_unique<Writer>(place, std::move(database), std::move(*mark), std::move(checked),
                                         std::move(signer));
  if (Result<void> started = writer->start(); !started) return tl::unexpected(started.error());
  opened.ledger.reset(new RocksLedger(std::move(writer)));
  return opened;
}

RocksLedger::RocksLedger(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}

RocksLedger::~RocksLedger() { static_cast<void>(writer_->close()); }

void RocksLedger::append(std::vector<SealedEntry> batch, Done done) {
  writer_->append(std::move(batch), std::move(done));
}

Result<std::vector<SealedEntry>> RocksLedger::read(Sequence from, std::size_t entries_max,
                                                   std::size_t bytes_max) const {
  return writer_->read(from, entries_max, bytes_max);
}

Result<Tile> RocksLedger::tile(TileId id, std::size_t width) const { return writer_->tile(id, width); }

Result<std::string> RocksLedger::checkpoint() const { return writer_->signed_checkpoint(); }

Sequence RocksLedger::head() const { return writer_->head(); }

Result<void> RocksLedger::close() { return writer_->close(); }

Result<void> RocksLedger::copy_to(const std::filesystem::path& into, const CopyTold& told) const {
  return writer_->copy_to(into, told);
}

}  // namespace carehub::storage
