#include "broker/storage/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace carehub::storage {
namespace {

tl::unexpected<Error> failed(const std::filesystem::path& path, const char* action, int error) {
  std::string remedy;
  auto kind = ErrorKind::unavailable;
  switch (error) {
    case ENOSPC:
    case EDQUOT: remedy = ". The disk is full: make room and restart"; break;
    case EIO: remedy = ". Check the disk and restart"; break;
    case EFBIG: remedy = ". Raise the limit on file sizes and restart"; break;
    case EACCES:
    case EPERM: remedy = ". Give the hub's user the right to read and write there"; break;
    case EROFS: remedy = ". The file system is mounted read-only"; break;
    case ENOENT: kind = ErrorKind::not_found; break;
    case EEXIST: kind = ErrorKind::conflict; break;
    default: break;
  }
  return fail(kind,
              path.string() + ": cannot " + action + ": " + std::system_category().message(error) + remedy);
}

}  // namespace

Result<File> File::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return failed(path, "open", errno);
  return File(descriptor, path);
}

Result<File> File::open_to_read(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed(path, "open", errno);
  return File(descriptor, path);
}

Result<File> File::create(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return failed(path, "create", errno);
  File file(descriptor, path);
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (Result<void> synced = sync_directory(parent); !synced) return tl::unexpected(synced.error());
  return file;
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> File::lock() {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK) {
    return fail(ErrorKind::unavailable,
                path_.string() +
                    ": in use by another hub, or read by an audit. Stop that one first, or give this one its "
                    "own data directory");
  }
  return failed(path_, "lock", errno);
}

Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return failed(path_, "stat", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Bytes> File::read_at(std::uint64_t offset, std::size_t bytes_max) const {
  Bytes out(bytes_max);
  std::size_t have = 0;
  while (have < bytes_max) {
    const ssize_t got =
        ::pread(descriptor_, out.data() + have, bytes_max - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path_, "read", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

Result<void> File::write_at(std::uint64_t offset, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed(path_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<void> File::truncate(std::uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) return failed(path_, "truncate", errno);
  return {};
}

Result<void> File::sync() {
  if (::fdatasync(descriptor_) != 0) return failed(path_, "sync", errno);
  return {};
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed(directory, "open", errno);
  const int outcome = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (outcome != 0) return failed(directory, "sync", error);
  return {};
}

Result<void> write_whole(const std::filesystem::path& path, BytesView bytes) {
  const std::filesystem::path draft = path.string() + ".new";
  std::error_code error;
  std::filesystem::remove(draft, error);
  Result<File> file = File::create(draft);
  if (!file) return tl::unexpected(file.error());
  Result<void> put = file->write_at(0, bytes);
  if (put) put = file->sync();
  if (!put) return put;
  std::filesystem::rename(draft, path, error);
  if (error) return fail(ErrorKind::unavailable, path.string() + ": cannot create: " + error.message());
  return sync_directory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

Result<void> make_writable_directory(const std::filesystem::path& directory) {
  std::error_code error;
  // Its name is in its parent, and so on up to what was there: else a power cut takes all that was synced
  // in it.
  std::vector<std::filesystem::path> parents;
  std::filesystem::path missing = std::filesystem::absolute(directory, error).lexically_normal();
  if (!missing.has_filename()) missing = missing.parent_path();
  while (!error && !std::filesystem::exists(missing, error) && missing.has_relative_path()) {
    missing = missing.parent_path();
    parents.push_back(missing);
  }
  const bool made = std::filesystem::create_directories(directory, error);
  if (error) return failed(directory, "create the directory", error.value());
  for (const auto& parent : parents) {
    if (Result<void> synced = sync_directory(parent); !synced) return synced;
  }
  if (made) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  if (error) return failed(directory, "set the mode of the directory", error.value());
  if (::faccessat(AT_FDCWD, directory.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return failed(directory, "write in the directory", errno);
  }
  return {};
}

}  // namespace carehub::storage
