#include "broker/server/scrub.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "broker/server/log.hpp"
#include "broker/storage/checkpoint.hpp"

namespace carehub::server {

namespace {

using std::chrono::steady_clock;

constexpr auto kTellEvery = std::chrono::hours(24);
constexpr auto kSaveEvery = std::chrono::minutes(1);
constexpr int kBehindAllOthers = 19;

/// Where it is missing or unreadable the pass begins anew: nothing is lost by that.
ScrubFar place_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  ScrubFar far;
  if (!(in >> far.next >> far.faults >> far.first_bad >> far.passes)) return {};
  return far;
}

}  // namespace

Scrubbing::Scrubbing(const storage::Ledger& ledger, std::filesystem::path place_file, Pace pace,
                     storage::VerifyVault vault)
    : ledger_(ledger),
      place_file_(std::move(place_file)),
      pace_(pace),
      vault_(std::move(vault)),
      far_(place_in(place_file_)),
      scrub_(ledger, far_.next),
      told_at_(steady_clock::now()),
      saved_at_(told_at_),
      thread_([this] { run(); }) {}

Scrubbing::~Scrubbing() { stop(); }

void Scrubbing::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ending_.notify_one();
  if (thread_.joinable()) thread_.join();
}

ScrubFar Scrubbing::far() const {
  const std::lock_guard lock(mutex_);
  return far_;
}

/// Between two parts, so that a pass takes the whole period.
std::chrono::duration<double> Scrubbing::rest() const {
  const double parts = double(ledger_.head()) / double(storage::kTileWidth) + 2;
  const std::chrono::duration<double> least(double(storage::kTileWidth) / pace_.entries_per_second_max);
  return std::max(pace_.period / parts, least);
}

void Scrubbing::run() {
  ::pthread_setname_np(::pthread_self(), "scrub");
  (void)::setpriority(PRIO_PROCESS, 0, kBehindAllOthers);  // of this thread alone, as Linux has it
  for (;;) {
    const auto step = scrub_.step();
    if (step) {
      if (step->ended && vault_) look_at_vault();
      take(*step);
    } else if (!far().unread) {
      {
        const std::lock_guard lock(mutex_);
        far_.unread = true;
      }
      log_alarm("ledger_unread",
                "the ledger cannot be verified: " + step.error().text + ". It is tried again");
    }
    const auto until = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(rest());
    std::unique_lock lock(mutex_);
    if (ending_.wait_until(lock, until, [this] { return over_; })) break;
  }
  save();
}

/// As old as its file may be, a running hub has read it only at its start.
void Scrubbing::look_at_vault() {
  const auto stopped = [this] {
    const std::lock_guard lock(mutex_);
    return over_;
  };
  const auto verified = vault_(stopped);
  if (stopped()) return;
  const std::lock_guard lock(mutex_);
  const bool is_new = !verified && !far_.vault_bad;
  far_.vault_bad = !verified;
  if (!is_new) return;
  log_alarm("vault_damaged",
            "the vault's file cannot be relied on: " + verified.error().text +
                ". The hub has all keys in memory, and would not start again: do not stop it "
                "nor restore a vault, which would lose what was minted since. Look at its "
                "disk; the next erasure, of a test child too, writes the file anew. Back "
                "the vault up then");
}

void Scrubbing::take(const storage::Scrub::Step& step) {
  ScrubFar far = this->far();
  if (step.faults > 0 && far.faults == 0) {
    far.first_bad = step.first_bad;
    log_alarm("ledger_damaged", (step.first_bad == 0 ? "the ledger is damaged: "
                                                     : "the ledger is damaged from entry " +
                                                           std::to_string(step.first_bad) + " on: ") +
                                    step.first_fault + ". The verifying goes on");
  }
  far.faults += step.faults;
  far.unread = false;
  far.next = scrub_.next();
  const auto now = steady_clock::now();
  if (step.ended) {
    ++far.passes;
    if (const Sequence head = ledger_.head(); head > 0) {
      log_notice("scrub-done", "all " + std::to_string(head) + " entries have been verified, " +
                                   std::to_string(far.faults) + " faults");
    }
    if (far.faults == 0) far.first_bad = 0;
    far.faults = 0;
  } else if (now - told_at_ >= kTellEvery) {
    told_at_ = now;
    log_notice("scrub-far", "entries up to " + std::to_string(far.next - 1) + " of " +
                                std::to_string(ledger_.head()) + " have been verified in this pass, " +
                                std::to_string(far.faults) + " faults");
  }
  {
    const std::lock_guard lock(mutex_);
    far_ = far;
  }
  if (step.faults == 0 && !step.ended && now - saved_at_ < kSaveEvery) return;
  saved_at_ = now;
  save();
}

/// A place that cannot be written is looked at again after a restart: no reason to stop.
void Scrubbing::save() {
  const ScrubFar far = this->far();
  (void)storage::replace_public_file(
      place_file_, std::to_string(far.next) + " " + std::to_string(far.faults) + " " +
                       std::to_string(far.first_bad) + " " + std::to_string(far.passes) + "\n");
}

}  // namespace carehub::server
