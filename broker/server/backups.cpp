#include "broker/server/backups.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "broker/core/wire_frames.hpp"
#include "broker/server/log.hpp"

namespace carehub::server {

namespace {

constexpr std::int64_t kTellUs = kSecondUs;
constexpr int kBehindOthers = 10;

}  // namespace

struct Backups::Running {
  core::AskBackup ask;
  Timestamp told_at;

  std::atomic<bool> stopping = false;
  std::mutex mutex;  // the thread says how far it is while the loop tells it on
  wire::BackedUpT far;
  std::optional<Result<Sequence>> outcome;
  std::thread thread;

  ~Running() {
    stopping = true;
    if (thread.joinable()) thread.join();
  }
};

Backups::Backups(core::Engine& engine, Make make, std::function<void()> wake)
    : engine_(engine), make_(std::move(make)), wake_(std::move(wake)) {}

Backups::~Backups() { stop(); }

void Backups::stop() {
  if (!running_) return;
  // It looks whether to stop behind each MiB and syncs behind eight, so the disk has at most those to take.
  log_notice("backup-stopped", "the hub stops, and waits for the disk of the backup that it gives up");
  running_.reset();
}

std::optional<Bytes> Backups::start(core::AskBackup ask, Timestamp now) {
  const auto refused = [&](ErrorKind kind, const char* why) {
    return core::backup_failed_frame(ask.backup.number, kind, why);
  };
  if (!make_) return refused(ErrorKind::unavailable, "nothing is backed up here");
  if (running_) return refused(ErrorKind::overloaded, "a backup is under way: ask again when it is done");
  running_ = std::make_unique<Running>();
  running_->ask = std::move(ask);
  running_->told_at = now;
  running_->far.number = running_->ask.backup.number;
  running_->thread = std::thread([this, &running = *running_] {
    ::pthread_setname_np(::pthread_self(), "backup");
    // Of this thread alone, as Linux has it.
    (void)::setpriority(PRIO_PROCESS, 0, kBehindOthers);
    auto outcome =
        make_(running.ask.backup, [&running](const char* step, std::uint64_t done, std::uint64_t all) {
          const std::lock_guard lock(running.mutex);
          running.far.text = step;
          running.far.done = done;
          running.far.all = all;
          return !running.stopping;
        });
    {
      const std::lock_guard lock(running.mutex);
      running.outcome = std::move(outcome);
    }
    wake_();
  });
  return std::nullopt;
}

Result<void> Backups::advance(Timestamp now, core::Decision& out) {
  if (!running_) return {};
  std::optional<Result<Sequence>> outcome;
  wire::BackedUpT far;
  {
    const std::lock_guard lock(running_->mutex);
    outcome = running_->outcome;
    far = running_->far;
  }
  if (!outcome) {
    if (now.us - running_->told_at.us < kTellUs) return {};
    running_->told_at = now;
    out.sends.push_back({running_->ask.peer.connection, core::backed_up_frame(far)});
    return {};
  }
  const auto ended = std::move(running_);
  if (*outcome) {
    log_notice("backup-made", "a backup is whole and verified, up to entry " + std::to_string(**outcome));
  } else {
    log_alarm("backup_failed", outcome->error().text);
  }
  return engine_.end_backup(ended->ask, *outcome, now, out);
}

}  // namespace carehub::server
