#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"

namespace carehub::adapters {

struct LineFileOptions {
  std::string channel = {};  // begins the files' names
  std::filesystem::path directory = {};
  std::uint64_t file_bytes_max = 64U << 20U;  // then the next file of the day; one line may be over it
  const Clock* clock = nullptr;               // nullptr: the system's
};

/// Appends each message as a line to CHANNEL-2026-03-01.jsonl in a directory, a file a day (UTC), and to
/// CHANNEL-2026-03-01.2.jsonl and so on where one is full. The bytes of a message are one line with its end.
/// A line is synced before `done` is called, and whole: what a crash or a full disk left of one is cut off
/// before the next. A message that comes again is written again. Trouble with the directory is
/// `unavailable`. Blocking work runs on a thread of its own; `done` is called there.
class LineFile final : public Sender {
 public:
  /// Error `unavailable`: the directory is missing or this user may not write to it.
  static Result<std::unique_ptr<LineFile>> make(LineFileOptions options);
  ~LineFile() override;

  void send(Rendered message, std::function<void(SendResult)> done) override;
  /// Finishes what is being written; what waits is answered `unavailable`.
  void stop() override;

 private:
  struct Impl;
  explicit LineFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
