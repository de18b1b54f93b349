#include "broker/storage/rocks_backup.hpp"

#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <system_error>
#include <vector>

#include "broker/storage/mark.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/rocks_options.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

/// While it lives no file of the database is deleted.
class KeptFiles {
 public:
  explicit KeptFiles(rocksdb::DB& database) : database_(database), status_(database.DisableFileDeletions()) {}
  ~KeptFiles() {
    if (status_.ok()) database_.EnableFileDeletions(false).PermitUncheckedError();
  }
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;
  const rocksdb::Status& status() const { return status_; }

 private:
  rocksdb::DB& database_;
  rocksdb::Status status_;
};

/// A file of the data directory that may be absent.
Result<void> copy_beside(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const auto size = fs::file_size(from, error);
  return error ? Result<void>() : copy_file(from, to, size, {});
}

}  // namespace

Result<void> copy_database(rocksdb::DB& database, const fs::path& place, const fs::path& into,
                           const CopyTold& told) {
  if (::mkdir(into.c_str(), 0700) != 0) {
    return fail(ErrorKind::unavailable,
                into.string() + ": cannot make the directory: " + std::system_category().message(errno));
  }
  const KeptFiles kept(database);
  if (!kept.status().ok()) return rocks_error(kept.status(), place, "its files cannot be kept");
  rocksdb::LiveFilesStorageInfoOptions options;
  // The log is copied as it is: a flush would hold up who appends.
  options.wal_size_for_flush = std::numeric_limits<std::uint64_t>::max();
  std::vector<rocksdb::LiveFileStorageInfo> files;
  const auto listed = database.GetLiveFilesStorageInfo(options, &files);
  if (!listed.ok()) return rocks_error(listed, place, "its files cannot be listed");
  std::uint64_t all = 0;
  for (const auto& file : files) all += file.size;
  std::uint64_t done = 0;
  for (const auto& file : files) {
    if (!file.replacement_contents.empty()) continue;
    auto copied =
        copy_file(fs::path(file.directory) / file.relative_filename, into / file.relative_filename, file.size,
                  [&](std::uint64_t bytes) { return !told || told(done += bytes, all); });
    if (!copied) return copied;
  }
  for (const auto& file : files) {
    if (file.replacement_contents.empty()) continue;
    if (auto put = write_new_file(into / file.relative_filename, file.replacement_contents); !put) return put;
  }
  return {};
}

Result<Sequence> finish_ledger_copy(const fs::path& copy, const fs::path& data) {
  const fs::path place = copy / "ledger";
  std::unique_ptr<LedgerDatabase> database;
  // The log may end in a batch that was being written: nobody has had a receipt for that.
  const auto opened = LedgerDatabase::open(place, LedgerDatabase::Mode::read_only,
                                           rocksdb::WALRecoveryMode::kPointInTimeRecovery, database);
  if (!opened.ok()) return rocks_error(opened, place, "the copy does not open");
  auto head = last_sequence(database->entries(), place);
  if (!head) return head;
  const auto edge = database->edge(*head);
  if (!edge) return tl::unexpected(edge.error());
  Hash last_leaf{};
  if (*head > 0) {
    const auto leaf = database->leaf(*head - 1);
    if (!leaf) return tl::unexpected(leaf.error());
    last_leaf = *leaf;
  }
  const auto checkpoint = database->checkpoint();
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  Result<void> put;
  if (!checkpoint->empty()) put = write_new_file(copy / kCheckpointFile, *checkpoint);
  std::vector<fs::path> beside = lost_checkpoints(data);
  beside.push_back(data / kCheckpointKeysFile);
  for (const fs::path& file : beside) {
    if (put) put = copy_beside(file, copy / file.filename());
  }
  if (!put) return tl::unexpected(put.error());
  auto mark = Mark::open(copy / "ledger.mark");
  if (!mark) return tl::unexpected(mark.error());
  if (auto written = mark->write_checkpoint(edge->tree(), last_leaf); !written)
    return tl::unexpected(written.error());
  return head;
}

}  // namespace carehub::storage
