#include "adapters/transports/file_descriptor.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cstring>

namespace carehub::adapters {
namespace {

constexpr std::size_t kExtensionBytesMax = 16;

}  // namespace

int append_synced(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const auto size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(size));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

int write_synced(const std::filesystem::path& file, BytesView bytes) {
  const FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd) return errno;
  const int error = append_synced(fd.get(), bytes);
  if (error != 0) ::unlink(file.c_str());
  return error;
}

int rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno != EINVAL && errno != ENOSYS) return errno;
    // A network file system without RENAME_NOREPLACE: a hard link never replaces either.
    if (::link(from.c_str(), to.c_str()) != 0) return errno;
    if (::unlink(from.c_str()) != 0) return errno;
  }
  if (const int error = sync_directory(to.parent_path()); error != 0) return error;
  return from.parent_path() == to.parent_path() ? 0 : sync_directory(from.parent_path());
}

int sync_directory(const std::filesystem::path& directory) {
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno;
  return ::fsync(fd.get()) == 0 ? 0 : errno;
}

int read_whole(const std::filesystem::path& file, std::size_t bytes_max, Bytes& out) {
  // Not blocking: a named pipe that took the file's place must not hang the reader.
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return errno;
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return ENXIO;
  if (static_cast<std::uintmax_t>(status.st_size) > bytes_max) return EFBIG;
  out.resize(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto size = ::read(fd.get(), out.data() + filled, out.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    if (size == 0) break;
    filled += static_cast<std::size_t>(size);
  }
  out.resize(filled);
  return 0;
}

std::string marked_name(const std::string& name, const std::string& mark, std::size_t bytes_max) {
  const std::filesystem::path path(name);
  std::string stem = path.stem().string();
  std::string extension = path.extension().string();
  if (extension.size() > kExtensionBytesMax) {
    stem = name;
    extension.clear();
  }
  const std::size_t others = mark.size() + extension.size();
  if (stem.size() + others > bytes_max) {
    std::size_t end = bytes_max > others ? bytes_max - others : 0;
    while (end > 0 && (static_cast<unsigned char>(stem[end]) & 0xC0U) == 0x80U) --end;
    stem.resize(end);
  }
  return stem + mark + extension;
}

std::string numbered(const std::string& name, unsigned number) {
  if (number < 2) return name;
  return marked_name(name, "." + std::to_string(number), std::string::npos);
}

std::string file_fault(int error) {
  switch (error) {
    case ENOSPC: return "disk full";
    case EDQUOT: return "quota exceeded";
    case EACCES:
    case EPERM: return "not permitted";
    case ENOENT:
    case ENOTDIR: return "folder missing";
    case EROFS: return "read-only file system";
    case EFBIG: return "too large";
    case ENAMETOOLONG: return "name too long";
    case EEXIST: return "name taken";
    default: return std::string("file error ") + std::to_string(error);
  }
}

}  // namespace carehub::adapters
