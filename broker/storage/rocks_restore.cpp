#include "broker/storage/rocks_restore.hpp"

#include <rocksdb/write_batch.h>

#include "broker/storage/mark.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;
constexpr std::uint32_t kEntriesPerWrite = 4096;

/// Writes entries without a log, and all of them durably at the end.
class NewLedger {
 public:
  explicit NewLedger(fs::path place) : place_(std::move(place)) {
    options_.disableWAL = true;
    status_ = LedgerDatabase::open(place_, LedgerDatabase::Mode::write,
                                   rocksdb::WALRecoveryMode::kAbsoluteConsistency, database_);
  }

  Result<void> add(const SealedEntry& entry) {
    const Bytes bytes = encode(entry);
    const std::string_view value = text_of(bytes);
    if (status_.ok()) status_ = rows_.Put(ledger_key(entry.header.sequence), value);
    if (rows_.Count() >= kEntriesPerWrite) write();
    tree_.append(entry.leaf);
    last_leaf_ = entry.leaf;
    return outcome();
  }

  Result<void> finish(const fs::path& mark_file) {
    write();
    if (status_.ok()) status_ = database_->entries().Flush({});
    if (status_.ok()) status_ = database_->close();
    if (auto done = outcome(); !done) return done;
    auto mark = Mark::open(mark_file);
    if (!mark) return tl::unexpected(mark.error());
    return mark->write_checkpoint(tree_, last_leaf_);
  }

 private:
  void write() {
    if (status_.ok()) status_ = database_->entries().Write(options_, &rows_);
    rows_.Clear();
  }
  Result<void> outcome() const {
    return status_.ok() ? Result<void>() : rocks_error(status_, place_, "the ledger cannot be restored");
  }

  fs::path place_;
  rocksdb::Status status_;
  rocksdb::WriteOptions options_;
  std::unique_ptr<LedgerDatabase> database_;
  rocksdb::WriteBatch rows_;
  MerkleFrontier tree_;
  Hash last_leaf_{};
};

}  // namespace

Result<void> restore_entries(const fs::path& backup, const fs::path& into, Sequence to,
                             const VisitEntry& visit) {
  std::error_code error;
  const fs::path place = fs::exists(backup / "CURRENT", error) ? backup : backup / "ledger";
  std::unique_ptr<LedgerDatabase> database;
  const auto opened = LedgerDatabase::open(place, LedgerDatabase::Mode::read_only,
                                           rocksdb::WALRecoveryMode::kPointInTimeRecovery, database);
  if (!opened.ok()) return rocks_error(opened, place, "the backup does not open");
  const auto head = last_sequence(database->entries(), place);
  if (!head) return tl::unexpected(head.error());
  NewLedger made(into / "ledger");
  Result<void> put;
  Result<void> read = for_each_entry(database->entries(), place, 1, *head, [&](const SealedEntry& entry) {
    if (entry.header.sequence <= to) put = made.add(entry);
    if (put) put = visit(entry);
    return put.has_value();
  });
  if (!put) return put;
  if (!read) return read;
  return made.finish(into / "ledger.mark");
}

}  // namespace carehub::storage
