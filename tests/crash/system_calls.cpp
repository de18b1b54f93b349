// The system calls that change a disk, in the place of the C library's for this program alone. Those that
// touch the directory of a Disk go through it, all others straight on.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "tests/crash/disk.hpp"

namespace {

using carehub::crash::Disk;
using carehub::crash::disk_of;

template <class Function>
Function* original(const char* name) {
  void* const found = ::dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Function*>(found);  // POSIX demands that this works
}

std::string absolute(int directory, const char* path) {
  if (path[0] == '/' || directory == AT_FDCWD)
    return path;  // what is played is always named from the root on
  std::string place(4096, '\0');
  const ssize_t size =
      ::readlink(("/proc/self/fd/" + std::to_string(directory)).c_str(), place.data(), place.size());
  return place.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size)) + "/" + path;
}

int open_on_disk(int directory, const char* path, int flags, mode_t mode) {
  static auto* const real = original<int(int, const char*, int, ...)>("openat");
  const std::string place = absolute(directory, path);
  Disk* const disk = disk_of(place);
  if (disk == nullptr) return real(directory, path, flags, mode);
  return disk->open(place, flags, [&] { return real(directory, path, flags, mode); });
}

mode_t mode_of(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;  // NOLINT: that is how it is passed
}

ssize_t write_on_disk(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  static auto* const real = original<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  Disk* const disk = disk_of(descriptor);
  const auto write = [&](std::size_t part) { return real(descriptor, bytes, part, offset); };
  return disk == nullptr ? write(size) : disk->write(descriptor, offset, bytes, size, write);
}

int truncate_on_disk(int descriptor, off_t size) {
  static auto* const real = original<int(int, off_t)>("ftruncate");
  Disk* const disk = disk_of(descriptor);
  const auto truncate = [&] { return real(descriptor, size); };
  return disk == nullptr ? truncate() : disk->truncate(descriptor, size, truncate);
}

int remove_on_disk(int directory, const char* path, int flags) {
  static auto* const real = original<int(int, const char*, int)>("unlinkat");
  const auto remove = [&] { return real(directory, path, flags); };
  const std::string place = absolute(directory, path);
  Disk* const disk = disk_of(place);
  return disk == nullptr ? remove() : disk->remove(place, remove);
}

template <class Real>
int sync_on_disk(int descriptor, Real* real) {
  Disk* const disk = disk_of(descriptor);
  const auto sync = [&] { return real(descriptor); };
  return disk == nullptr ? sync() : disk->sync(descriptor, sync);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_on_disk(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_on_disk(directory, path, flags, mode);
}

int close(int descriptor) {
  static auto* const real = original<int(int)>("close");
  if (Disk* const disk = disk_of(descriptor)) disk->close(descriptor);
  return real(descriptor);
}

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  static auto* const real = original<ssize_t(int, const void*, std::size_t)>("write");
  Disk* const disk = disk_of(descriptor);
  const auto write = [&](std::size_t part) { return real(descriptor, bytes, part); };
  if (disk == nullptr) return write(size);
  return disk->write(descriptor, ::lseek(descriptor, 0, SEEK_CUR), bytes, size, write);
}

ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  return write_on_disk(descriptor, bytes, size, offset);
}

int ftruncate(int descriptor, off_t size) noexcept { return truncate_on_disk(descriptor, size); }

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  static auto* const real = original<int(int, int, off_t, off_t)>("fallocate");
  Disk* const disk = disk_of(descriptor);
  const auto reserve = [&] { return real(descriptor, mode, offset, size); };
  return disk == nullptr ? reserve() : disk->reserve(descriptor, reserve);
}

int fsync(int descriptor) { return sync_on_disk(descriptor, original<int(int)>("fsync")); }

int fdatasync(int descriptor) { return sync_on_disk(descriptor, original<int(int)>("fdatasync")); }

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = original<int(const char*, mode_t)>("mkdir");
  const auto make = [&] { return real(path, mode); };
  const std::string place = absolute(AT_FDCWD, path);
  Disk* const disk = disk_of(place);
  return disk == nullptr ? make() : disk->make_directory(place, make);
}

int unlink(const char* path) noexcept { return remove_on_disk(AT_FDCWD, path, 0); }

int unlinkat(int directory, const char* path, int flags) noexcept {
  return remove_on_disk(directory, path, flags);
}

int rmdir(const char* path) noexcept { return remove_on_disk(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char* path) noexcept {
  const int outcome = remove_on_disk(AT_FDCWD, path, 0);
  return outcome != 0 && (errno == EISDIR || errno == EPERM) ? remove_on_disk(AT_FDCWD, path, AT_REMOVEDIR)
                                                             : outcome;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = original<int(const char*, const char*)>("rename");
  const auto rename = [&] { return real(from, to); };
  const std::string place = absolute(AT_FDCWD, from);
  Disk* const disk = disk_of(place);
  return disk == nullptr ? rename() : disk->rename(place, absolute(AT_FDCWD, to), rename);
}

}  // extern "C"
