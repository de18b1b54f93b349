#include "broker/server/erasures.hpp"

#include <algorithm>

#include "broker/core/wire_frames.hpp"

namespace carehub::server {

Bytes Erasures::failed(const core::AskErasure& ask, const Error& error) {
  wire::ErasedT erased;
  erased.number = ask.erase.number;
  erased.error = core::to_wire(error.kind);
  erased.text = error.text;
  return core::erased_frame(erased);
}

std::optional<Bytes> Erasures::start(core::AskErasure ask) {
  if (!search_) return failed(ask, {ErrorKind::unavailable, "nothing is erased here"});
  if (waiting_.size() >= kWaitingMax)
    return failed(ask, {ErrorKind::overloaded, "too many erasures wait; ask again when one is done"});
  waiting_.push_back(std::move(ask));
  return std::nullopt;
}

std::optional<Erasures::Found> Erasures::advance() {
  if (waiting_.empty()) return std::nullopt;
  if (active_ == nullptr) active_ = search_(waiting_.front().erase.person);
  auto done = active_->advance();
  if (done && !*done) return std::nullopt;
  Found found{std::move(waiting_.front()), tl::unexpected(Error{})};
  if (done) {
    found.findings = active_->take();
  } else {
    found.findings = tl::unexpected(done.error());
  }
  active_.reset();
  waiting_.pop_front();
  return found;
}

void Erasures::forget(ConnectionId connection) {
  if (waiting_.empty()) return;
  if (waiting_.front().peer.connection == connection) active_.reset();
  std::erase_if(waiting_, [&](const auto& each) { return each.peer.connection == connection; });
}

Result<std::size_t> finish_erasures(const care::State& state, storage::Vault& vault) {
  auto keys = state.erased_keys();
  if (!keys) return tl::unexpected(keys.error());
  std::erase_if(*keys, [&](const KeyId& key) { return !vault.key(key); });
  if (auto destroyed = vault.destroy(*keys); !destroyed) return tl::unexpected(destroyed.error());
  return keys->size();
}

}  // namespace carehub::server
