#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::app {

/// Where a bench keeps its hub's data. A directory that others have filled is refused: a bench writes
/// thousands of invented admissions, and they would stay in a real ledger for ever.
class BenchDirectory {
 public:
  /// `given` empty: a temporary one on disk, removed with this object. Otherwise it must be missing, empty,
  /// or a bench's own from before; it stays. Errors: `conflict` (of somebody else), `unavailable`.
  static Result<std::unique_ptr<BenchDirectory>> open(const std::filesystem::path& given);
  ~BenchDirectory();
  BenchDirectory(const BenchDirectory&) = delete;
  BenchDirectory& operator=(const BenchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// True on a file system that lives in memory: its figures say nothing about a disk.
  bool in_memory() const;

 private:
  BenchDirectory(std::filesystem::path path, bool temporary)
      : path_(std::move(path)), temporary_(temporary) {}

  std::filesystem::path path_;
  bool temporary_;
};

}  // namespace carehub::app
