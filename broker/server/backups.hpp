#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/core/engine.hpp"

namespace carehub::server {

/// The backup that is under way: made on a thread of its own, told of and recorded on the loop's. One at a
/// time.
class Backups {
 public:
  /// How far it is; false: stop.
  using Told = std::function<bool(const char* step, std::uint64_t done, std::uint64_t all)>;
  /// Makes it, and returns the last entry in the copy. Called on a thread of its own; asks `told` often.
  using Make = std::function<Result<Sequence>(const wire::BackupT& wanted, const Told& told)>;

  /// Without `make` nothing is backed up. `wake` is called on that thread when there is news.
  Backups(core::Engine& engine, Make make, std::function<void()> wake);
  /// Stops what is under way, and waits for it.
  ~Backups();
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  /// A frame that says no while one is under way, else nullopt.
  std::optional<Bytes> start(core::AskBackup ask, Timestamp now);

  /// Tells how far it is, at least every two seconds, and records its end. An error is the engine's.
  Result<void> advance(Timestamp now, core::Decision& out);

  /// Stops what is under way, and waits for it; nothing of it is recorded any more.
  void stop();

 private:
  struct Running;
  core::Engine& engine_;
  Make make_;
  std::function<void()> wake_;
  std::unique_ptr<Running> running_;
};

}  // namespace carehub::server
