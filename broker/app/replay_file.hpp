#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::app {

/// Where a replay is written, one delivery a line, so that it can go on after whatever stopped it. Readable
/// for its owner alone; nobody else's replay writes to it meanwhile.
class ReplayFile {
 public:
  /// A new file. `conflict`: there is one already. With `resume` there may be one: what follows its last
  /// whole line is cut off. `invalid`: that line is none of a replay's.
  static Result<ReplayFile> open(const std::filesystem::path& file, bool resume);
  ReplayFile(ReplayFile&& other) noexcept;
  ReplayFile(const ReplayFile&) = delete;
  ReplayFile& operator=(const ReplayFile&) = delete;
  ~ReplayFile();

  /// The sequence in the last whole line of what was there; 0: there was none.
  Sequence last_sequence() const { return last_sequence_; }
  /// `unavailable`: the disk did not take it all.
  Result<void> append(std::string_view lines);
  /// It is on the disk, and so is its name.
  Result<void> finish();

 private:
  explicit ReplayFile(std::filesystem::path file) : file_(std::move(file)) {}
  Result<void> cut_off_half_line();

  std::filesystem::path file_;
  int descriptor_ = -1;
  Sequence last_sequence_ = 0;
};

}  // namespace carehub::app
