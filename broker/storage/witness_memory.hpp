#pragma once

#include <optional>
#include <string>

#include "broker/storage/file.hpp"

namespace carehub::storage {

/// What a witness remembers: for each log the newest checkpoint that it signed, and what it found of a log
/// that showed it two histories. A directory of small files, of one process at a time.
///
///   LOG.checkpoint        the newest that was signed; LOG is made of the origin
///   LOG.fork.remembered, LOG.fork.shown
///                         two checkpoints of one log that contradict each other; while either is there
///                         nothing of that log is signed. A person takes them away
class WitnessMemory {
 public:
  /// Makes the directory where there is none. `unavailable` while another process has it.
  static Result<WitnessMemory> open(const std::filesystem::path& directory);

  /// Nothing where none of that log was signed.
  Result<std::optional<std::string>> newest(const std::string& origin) const;
  /// Takes the older one's place as one, and outlives a power cut when this returns.
  Result<void> remember(const std::string& origin, std::string_view checkpoint);

  /// Where the proof of two histories lies, if there is one.
  Result<std::optional<std::filesystem::path>> fork(const std::string& origin) const;
  /// Where it lies now.
  Result<std::filesystem::path> keep_fork(const std::string& origin, std::string_view remembered,
                                          std::string_view shown);

 private:
  WitnessMemory(std::filesystem::path directory, File lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::filesystem::path file(const std::string& origin, const char* end) const;

  std::filesystem::path directory_;
  File lock_;
};

}  // namespace carehub::storage
