#include "broker/server/erasures.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/core/wire_frames.hpp"
#include "broker/server/log.hpp"

namespace carehub::server {

namespace {

constexpr std::int64_t kAgainUs = 60 * kSecondUs;
constexpr std::int64_t kTellUs = kSecondUs;

Bytes failed(const core::AskErasure& ask, const Error& error) {
  wire::ErasedT erased;
  erased.number = ask.erase.number;
  erased.error = core::to_wire(error.kind);
  erased.text = error.text;
  return core::erased_frame(erased);
}

}  // namespace

std::optional<Bytes> Erasures::start(core::AskErasure ask) {
  if (!search_) return failed(ask, {ErrorKind::unavailable, "nothing is erased here"});
  if (waiting_.size() >= kWaitingMax)
    return failed(ask, {ErrorKind::overloaded, "too many erasures wait; ask again when one is done"});
  waiting_.push_back(std::move(ask));
  return std::nullopt;
}

Result<void> Erasures::advance(Timestamp now, core::Decision& out) {
  std::deque<Looked> looked;
  {
    const std::lock_guard lock(mutex_);
    looked.swap(looked_);
  }
  for (auto& each : looked) {
    if (auto concluded = engine_.conclude(std::move(each.destruction), each.copies, now, out); !concluded)
      return concluded;
  }
  if (waiting_.empty()) return {};
  if (active_ == nullptr) {
    active_ = search_(waiting_.front().erase.person);
    told_ = now;
  }
  const auto done = active_->advance();
  if (done && !*done) {
    tell_progress(now, out);
    return {};
  }
  const auto ask = std::move(waiting_.front());
  const auto search = std::move(active_);
  waiting_.pop_front();
  if (done) return engine_.erase(ask, search->take(), now, out);
  out.sends.push_back({ask.peer.connection, failed(ask, done.error())});
  return {};
}

/// By the frame that tells how far a backup is.
void Erasures::tell_progress(Timestamp now, core::Decision& out) {
  if (now.us - told_.us < kTellUs) return;
  told_ = now;
  for (std::size_t at = 0; at < waiting_.size(); ++at) {
    wire::BackedUpT far;
    far.number = waiting_[at].erase.number;
    far.text = at == 0 ? "searching the ledger, entries" : "another erasure is first: its search, entries";
    far.done = active_->through();
    far.all = state_.head();
    out.sends.push_back({waiting_[at].peer.connection, core::backed_up_frame(far)});
  }
}

/// The state's rows go first, for good: rows that a crash brings back would be of what nobody can read.
Result<void> Erasures::destroy_keys(const std::vector<KeyId>& keys) {
  if (auto synced = state_.sync(); !synced) return synced;
  return engine_.destroy(keys);
}

std::optional<Bytes> Erasures::destroy(core::Destruction destruction, Timestamp now) {
  if (auto destroyed = destroy_keys(destruction.keys);
      !destroyed && kFault != Fault::says_complete_too_early) {
    log_alarm("erasure_unfinished", "a recorded erasure waits for the disk: " + destroyed.error().text);
    left_.insert(left_.end(), destruction.keys.begin(), destruction.keys.end());
    tried_ = now;
    destruction.answer.complete = false;
    destruction.answer.text =
        "recorded, but the vault or the state cannot be written yet: the hub tries again each minute";
    return core::erased_frame(destruction.answer);
  }
  if (!wake_) {
    look_for_copies(std::move(destruction));
    return std::nullopt;
  }
  auto look = [this, keys_gone = std::move(destruction)] {
    look_for_copies(keys_gone);
    wake_();
  };
  if (apart_) {
    apart_(std::move(look));
  } else {
    if (!worker_) worker_.emplace("vault copies");
    worker_->run(std::move(look));
  }
  return std::nullopt;
}

void Erasures::look_for_copies(core::Destruction destruction) {
  auto copies = engine_.copies_with(destruction.keys);
  const std::lock_guard lock(mutex_);
  looked_.push_back({std::move(destruction), std::move(copies)});
}

void Erasures::try_again(Timestamp now) {
  if (left_.empty() || now.us - tried_.us < kAgainUs) return;
  tried_ = now;
  if (!destroy_keys(left_)) return;
  log_notice("erasure-finished", "an erasure that had waited for the vault is finished");
  left_.clear();
}

void Erasures::forget(ConnectionId connection) {
  if (waiting_.empty()) return;
  if (waiting_.front().peer.connection == connection) active_.reset();
  std::erase_if(waiting_, [&](const auto& each) { return each.peer.connection == connection; });
}

Result<std::size_t> finish_erasures(care::State& state, storage::Vault& vault) {
  auto keys = state.erased_keys();
  if (!keys) return tl::unexpected(keys.error());
  std::erase_if(*keys, [&](const KeyId& key) { return !vault.key(key); });
  if (kFault == Fault::leaves_erasures_unfinished) keys->clear();
  if (!keys->empty()) {
    if (auto synced = state.sync(); !synced) return tl::unexpected(synced.error());
  }
  if (auto destroyed = vault.destroy(*keys); !destroyed) return tl::unexpected(destroyed.error());
  return keys->size();
}

}  // namespace carehub::server
