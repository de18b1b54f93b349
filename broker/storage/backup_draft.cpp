#include "broker/storage/backup_draft.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPartBytes = 1U << 20U;
constexpr std::uint64_t kSyncEveryBytes = 8U << 20U;

tl::unexpected<Error> failed(const fs::path& path, const char* action, int error) {
  const char* remedy = ". Look at that disk";
  switch (error) {
    case ENOSPC:
    case EDQUOT: remedy = ". That disk is full: make room there, or give a place on another one"; break;
    case EACCES:
    case EPERM: remedy = ". Give the hub's user the right to read and write there"; break;
    case EROFS: remedy = ". That file system is mounted read-only: give another place"; break;
    case EFBIG: remedy = ". Raise the limit on file sizes"; break;
    default: break;
  }
  return fail(ErrorKind::unavailable,
              path.string() + ": cannot " + action + ": " + std::system_category().message(error) + remedy);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool good() const { return number_ >= 0; }

 private:
  int number_;
};

Descriptor make_file(const fs::path& path) {
  return Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
}

bool put_all(int file, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

/// What was copied is not read again soon, and must not push out what the hub reads.
bool sync_and_forget(int file) {
  if (::fdatasync(file) != 0) return false;
  (void)::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  return true;
}

fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path.lexically_normal() : path.lexically_normal().parent_path();
}

}  // namespace

bool is_unfinished(const fs::path& directory) { return without_slash(directory).extension() == kUnfinished; }

Result<BackupDraft> BackupDraft::make(const fs::path& place) {
  const fs::path whole = without_slash(place);
  const fs::path draft = whole.string() + kUnfinished;
  std::error_code error;
  if (is_unfinished(whole)) {
    return fail(ErrorKind::invalid,
                "`" + whole.string() + "`: that is what unfinished copies are called; give another name");
  }
  if (fs::exists(fs::symlink_status(whole, error)))
    return fail(ErrorKind::conflict, "`" + whole.string() + "` exists; give a directory that does not");
  if (fs::exists(fs::symlink_status(draft, error))) {
    return fail(ErrorKind::conflict, "`" + draft.string() +
                                         "` is what a copy that was cut short has left: remove it, it is of "
                                         "no use, or give another name");
  }
  if (!fs::is_directory(whole.parent_path(), error)) {
    return fail(ErrorKind::not_found,
                "`" + whole.parent_path().string() + "` is no directory: make it first, or mount its disk");
  }
  if (::mkdir(draft.c_str(), 0700) != 0) return failed(draft, "make the directory", errno);
  return BackupDraft(whole, draft);
}

BackupDraft::BackupDraft(BackupDraft&& other) noexcept
    : place_(std::move(other.place_)), draft_(std::exchange(other.draft_, {})) {}

BackupDraft::~BackupDraft() {
  std::error_code error;
  if (!draft_.empty()) fs::remove_all(draft_, error);
}

Result<void> BackupDraft::finish() {
  std::error_code error;
  for (fs::recursive_directory_iterator each(draft_, error), end; !error && each != end;
       each.increment(error)) {
    if (!each->is_directory(error)) continue;
    if (auto synced = sync_directory(each->path()); !synced) return synced;
  }
  if (error) return failed(draft_, "read the directory", error.value());
  if (auto synced = sync_directory(draft_); !synced) return synced;
  // A plain rename would take the place of an empty directory that somebody has made meanwhile.
  if (::renameat2(AT_FDCWD, draft_.c_str(), AT_FDCWD, place_.c_str(), RENAME_NOREPLACE) != 0) {
    const bool unknown = errno == EINVAL || errno == ENOSYS;  // the file system does not know how
    if (!unknown || ::rename(draft_.c_str(), place_.c_str()) != 0) return failed(place_, "be renamed", errno);
  }
  draft_.clear();
  return sync_directory(place_.parent_path());
}

Result<void> copy_file(const fs::path& from, const fs::path& to, std::uint64_t bytes, const Copied& copied,
                       BytesView tail) {
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.good()) return failed(from, "open", errno);
  const Descriptor out = make_file(to);
  if (!out.good()) return failed(to, "create", errno);
  std::vector<std::uint8_t> part(kPartBytes);
  std::uint64_t unsynced = 0;
  while (bytes > 0) {
    const ssize_t got = ::read(in.number(), part.data(),
                               static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kPartBytes)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(from, "read", errno);
    if (got == 0) return fail(ErrorKind::corrupt, from.string() + " is shorter than it has to be");
    const auto size = static_cast<std::size_t>(got);
    if (!put_all(out.number(), BytesView(part).first(size))) return failed(to, "write", errno);
    bytes -= size;
    unsynced += size;
    if (unsynced >= kSyncEveryBytes) {
      if (!sync_and_forget(out.number())) return failed(to, "sync", errno);
      unsynced = 0;
    }
    if (copied && !copied(size)) return fail(ErrorKind::unavailable, "the copying was stopped");
  }
  if (!put_all(out.number(), tail)) return failed(to, "write", errno);
  return sync_and_forget(out.number()) ? Result<void>() : failed(to, "sync", errno);
}

Result<void> write_new_file(const fs::path& to, std::string_view text) {
  const Descriptor out = make_file(to);
  if (!out.good()) return failed(to, "create", errno);
  if (!put_all(out.number(), bytes_of(text))) return failed(to, "write", errno);
  return sync_and_forget(out.number()) ? Result<void>() : failed(to, "sync", errno);
}

}  // namespace carehub::storage
