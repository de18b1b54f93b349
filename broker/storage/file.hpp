#pragma once

#include <filesystem>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

/// An open file that is read and written in place. Errors are `unavailable` (`not_found` when it does not
/// exist) and name the file and the remedy. For one thread at a time.
class File {
 public:
  /// For reading and writing.
  static Result<File> open(const std::filesystem::path& path);
  static Result<File> open_to_read(const std::filesystem::path& path);
  /// A new file with mode 0600 whose name outlives a power cut. `conflict` when it exists.
  static Result<File> create(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  /// Keeps every other process from locking the file for as long as this one is open.
  Result<void> lock();
  Result<std::uint64_t> size() const;
  /// At most `bytes_max` from `offset`; fewer at the end of the file.
  Result<Bytes> read_at(std::uint64_t offset, std::size_t bytes_max) const;
  Result<void> write_at(std::uint64_t offset, BytesView bytes);
  Result<void> truncate(std::uint64_t size);
  /// What has been written outlives a power cut.
  Result<void> sync();

  const std::filesystem::path& path() const { return path_; }
  /// It has another name from now on, for messages.
  void renamed(std::filesystem::path path) { path_ = std::move(path); }

 private:
  File(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::filesystem::path path_;
};

/// Makes the names in a directory outlive a power cut.
Result<void> sync_directory(const std::filesystem::path& directory);

/// Makes or replaces a file (0600) as one: under its name there is the old one or the new one, whole.
Result<void> write_whole(const std::filesystem::path& path, BytesView bytes);

/// Makes the directory (0700) with its parents, for good, and checks that files can be made in it.
Result<void> make_writable_directory(const std::filesystem::path& directory);

}  // namespace carehub::storage
