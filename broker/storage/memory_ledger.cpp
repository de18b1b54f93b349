#include "broker/storage/memory_ledger.hpp"

#include "broker/storage/append_check.hpp"

namespace carehub::storage {
namespace {

tl::unexpected<Error> closed_error() { return fail(ErrorKind::unavailable, "the ledger is closed"); }
tl::unexpected<Error> failed_error() {
  return fail(ErrorKind::unavailable, "the ledger stopped after a failed sync: restart the hub");
}

}  // namespace

void MemoryLedger::append(std::vector<SealedEntry> batch, Done done) {
  Result<Sequence> outcome = Sequence{0};
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      outcome = closed_error();
    } else if (failed_) {
      outcome = failed_error();
    } else if (const Result<void> fits = check_batch(batch, next_); !fits) {
      outcome = tl::unexpected(fits.error());
    } else {
      next_ += batch.size();
      if (holding_) {
        pending_.push_back({std::move(batch), std::move(done)});
        return;
      }
      store(batch);
      outcome = Sequence{entries_.size()};
    }
  }
  done(std::move(outcome));
}

Result<std::vector<SealedEntry>> MemoryLedger::read(Sequence from, std::size_t entries_max,
                                                    std::size_t bytes_max) const {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  std::vector<SealedEntry> out;
  std::size_t bytes = 0;
  if (from == 0) from = 1;
  for (Sequence at = from; at <= entries_.size() && out.size() < entries_max; ++at) {
    const Bytes& stored = entries_[at - 1];
    bytes += stored.size();
    if (!out.empty() && bytes > bytes_max) break;
    Result<SealedEntry> entry = decode(stored, at);
    if (!entry) return tl::unexpected(entry.error());
    out.push_back(std::move(*entry));
  }
  return out;
}

Sequence MemoryLedger::head() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

Result<Tile> MemoryLedger::tile(TileId id, std::size_t width) const {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (auto tile = tree_.tile(id, width)) return *std::move(tile);
  return fail(ErrorKind::not_found, "the ledger has no " + tile_path(id, width) + " yet");
}

Result<std::string> MemoryLedger::checkpoint() const {
  const std::lock_guard lock(mutex_);
  if (closed_) return closed_error();
  if (!signer_) return fail(ErrorKind::not_found, "no key signs this ledger's checkpoints");
  return signer_->sign(tree_.tree().size(), tree_.tree().root());
}

void MemoryLedger::sign_with(const CheckpointSigner& signer) {
  const std::lock_guard lock(mutex_);
  signer_ = signer;
}

void MemoryLedger::store(const std::vector<SealedEntry>& batch) {
  for (const SealedEntry& entry : batch) {
    entries_.push_back(encode(entry));
    tree_.append(entry.leaf);
  }
}

Result<void> MemoryLedger::close() {
  release();
  const std::lock_guard lock(mutex_);
  closed_ = true;
  return {};
}

void MemoryLedger::hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void MemoryLedger::release() {
  // A `done` may append again: it then waits behind the others and is completed here as well.
  while (held() != 0) release_one();
  const std::lock_guard lock(mutex_);
  holding_ = false;
}

void MemoryLedger::release_one() {
  Pending pending;
  Result<Sequence> outcome = Sequence{0};
  {
    const std::lock_guard lock(mutex_);
    if (pending_.empty()) return;
    pending = std::move(pending_.front());
    pending_.pop_front();
    store(pending.batch);
    outcome = Sequence{entries_.size()};
  }
  pending.done(std::move(outcome));
}

std::size_t MemoryLedger::held() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

void MemoryLedger::crash() {
  std::deque<Pending> forgotten;  // destroyed outside the lock: what a `done` owns may be anything
  const std::lock_guard lock(mutex_);
  forgotten.swap(pending_);
  next_ = entries_.size() + 1;
  holding_ = failed_ = closed_ = false;
}

void MemoryLedger::fail_sync() {
  std::deque<Pending> failing;
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    failing.swap(pending_);
    next_ = entries_.size() + 1;
  }
  for (Pending& pending : failing) pending.done(failed_error());
}

void MemoryLedger::damage(Sequence sequence, std::size_t byte, std::uint8_t mask) {
  const std::lock_guard lock(mutex_);
  entries_.at(sequence - 1).at(byte) ^= mask;
}

}  // namespace carehub::storage
