#pragma once

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

#include "broker/base/bytes.hpp"

namespace carehub::adapters {

/// An open file that is closed with its owner.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// All of these return 0 or an errno.

/// Writes a new file (O_EXCL) and syncs it. What was written in part is removed.
int write_synced(const std::filesystem::path& file, BytesView bytes);
/// Writes all of it and syncs.
int append_synced(int fd, BytesView bytes);
/// Renames within one file system, never over an existing file (EEXIST), and syncs both directories.
int rename_new(const std::filesystem::path& from, const std::filesystem::path& to);
int sync_directory(const std::filesystem::path& directory);
/// Reads a regular file whole, never through a link; EFBIG when it is over `bytes_max`, ENXIO when it is not
/// regular.
int read_whole(const std::filesystem::path& file, std::size_t bytes_max, Bytes& out);

/// `name` with a mark before its extension. Its stem is cut, between two characters of UTF-8, so that all is
/// no longer than this.
std::string marked_name(const std::string& name, const std::string& mark, std::size_t bytes_max);

/// `name` itself, or with a number before its extension: events.csv, events.2.csv, events.3.csv.
std::string numbered(const std::string& name, unsigned number);

/// A stable word for an errno: "disk full", "not permitted".
std::string file_fault(int error);

}  // namespace carehub::adapters
