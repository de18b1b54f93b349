#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"

namespace carehub::adapters {

struct FolderWriterOptions {
  std::string channel = {};
  std::filesystem::path directory = {};
  /// {date} 2026-03-01 and {time} 093000 (UTC, when the hub wrote the event down), {sequence}, {id}. One of
  /// the last two must be in it, so that every delivery has a name of its own.
  std::string name = {};
  bool create = false;  // make the directory at the first delivery
};

/// Error `invalid`: the pattern names an unknown field, holds a path, or does not tell deliveries apart.
Result<void> check_name_pattern(const std::string& pattern);

/// The name that a pattern gives a message; the same at every attempt.
std::string folder_file_name(const std::string& pattern, const Rendered& message);

/// Writes each message as a file of its own: under a hidden temporary name, synced, then renamed, so that a
/// reader never sees half a file. A delivery that comes again finds its file and writes no second one; a file
/// with other content is never overwritten: the name gets a number. What is wrong with the folder is
/// `unavailable`. Blocking work runs on a thread of its own; `done` is called there.
class FolderWriter final : public Sender {
 public:
  explicit FolderWriter(FolderWriterOptions options);
  ~FolderWriter() override;

  void send(Rendered message, std::function<void(SendResult)> done) override;
  /// Finishes the file under way; what waits is answered `unavailable`.
  void stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
