#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

/// What a directory is called while it is being filled: its name and this. One that is left was cut short.
constexpr const char* kUnfinished = ".unfinished";

/// Is it a directory that was cut short while it was filled?
bool is_unfinished(const std::filesystem::path& directory);

/// A new directory (0700) that is filled under a name of its own and has its real one only when all of it is
/// whole and synced. What was not finished is removed with the draft; a kill leaves it under its own name.
class BackupDraft {
 public:
  /// Errors name the place and the remedy: `conflict` (there is something, or a draft that was cut short),
  /// `not_found` (no parent directory), `unavailable` (not writable).
  static Result<BackupDraft> make(const std::filesystem::path& place);

  BackupDraft(BackupDraft&& other) noexcept;
  BackupDraft& operator=(BackupDraft&&) = delete;
  ~BackupDraft();

  const std::filesystem::path& path() const { return draft_; }
  /// What it will be once it is finished; no slash at its end.
  const std::filesystem::path& place() const { return place_; }
  /// Makes the names in it durable, and gives it the real one.
  Result<void> finish();

 private:
  BackupDraft(std::filesystem::path place, std::filesystem::path draft)
      : place_(std::move(place)), draft_(std::move(draft)) {}
  std::filesystem::path place_;
  std::filesystem::path draft_;  // empty once it is finished, or another's
};

/// Told after each part that is copied: how many bytes it had. False: stop.
using Copied = std::function<bool(std::uint64_t bytes)>;

/// Copies the first `bytes` of a file into a new one (0600), with `tail` behind them, and syncs it on the
/// way, so that a large copy never makes another's sync wait for long. `corrupt` where it has fewer;
/// `unavailable` where it was stopped, or what is wrong with the disk, and the remedy.
Result<void> copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
                       std::uint64_t bytes, const Copied& copied, BytesView tail = {});
/// A new file (0600) that holds this, synced.
Result<void> write_new_file(const std::filesystem::path& to, std::string_view text);

}  // namespace carehub::storage
