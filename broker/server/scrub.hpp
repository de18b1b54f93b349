#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "broker/storage/file_vault.hpp"
#include "broker/storage/scrub.hpp"

namespace carehub::server {

/// In the data directory: how far the pass has come.
constexpr const char* kScrubFile = "scrub";

/// How far the verifying of the whole ledger is.
struct ScrubFar {
  Sequence next = 1;         // of this pass
  std::uint64_t faults = 0;  // of this pass
  Sequence first_bad = 0;    // of this pass, and of the one before until this one finds it again; 0: none
  std::uint64_t passes = 0;  // that have come to their end
  bool unread = false;       // the ledger cannot be read for now, and that was told
  bool vault_bad = false;  // the vault's file is damaged or unreadable as of the last pass, and that was told
};

/// Verifies all of the ledger, and then the vault, again and again, on a thread of its own that goes behind
/// all others, so slowly that one pass takes its whole period. Remembers its place through restarts; alarms
/// once a pass.
class Scrubbing {
 public:
  struct Pace {
    std::chrono::duration<double> period = std::chrono::hours(24 * 7);
    double entries_per_second_max = 5'000;
  };

  /// Begins. The ledger outlives it, and so does what `vault` reads; empty: there is no vault.
  Scrubbing(const storage::Ledger& ledger, std::filesystem::path place_file, Pace pace,
            storage::VerifyVault vault = {});
  /// Ends soon, within the reading of one tile.
  ~Scrubbing();
  Scrubbing(const Scrubbing&) = delete;
  Scrubbing& operator=(const Scrubbing&) = delete;

  /// Ends it now; call it before the ledger is closed.
  void stop();
  /// Thread-safe.
  ScrubFar far() const;

 private:
  void run();
  void take(const storage::Scrub::Step& step);
  void look_at_vault();
  void save();
  std::chrono::duration<double> rest() const;

  const storage::Ledger& ledger_;
  const std::filesystem::path place_file_;
  const Pace pace_;
  const storage::VerifyVault vault_;
  mutable std::mutex mutex_;  // between this thread and who asks how far it is, or ends it
  std::condition_variable ending_;
  bool over_ = false;
  ScrubFar far_;
  storage::Scrub scrub_;
  std::chrono::steady_clock::time_point told_at_;
  std::chrono::steady_clock::time_point saved_at_;
  std::thread thread_;
};

}  // namespace carehub::server
