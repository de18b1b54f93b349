#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "broker/care/erasure_search.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"

namespace carehub::server {

/// Erasures under way: the searches for what is to go, one after the other and a part at a time, so that none
/// holds up the deliveries; and the keys that go once an Erasure is durable.
class Erasures {
 public:
  using Search = std::function<std::unique_ptr<care::ErasureSearch>(std::string person)>;

  /// The engine outlives it. Without a search nothing is erased.
  Erasures(core::Engine& engine, Search search) : engine_(engine), search_(std::move(search)) {}

  /// A frame that says no when too many wait, else nullopt.
  std::optional<Bytes> start(core::AskErasure ask);

  /// Looks at the next part; what it leads to once all was looked at. An error is the engine's.
  Result<void> advance(Timestamp now, core::Decision& out);

  /// Destroys keys whose Erasure is durable; the answer. Where the vault cannot be written an alarm rises,
  /// and try_again() does it each minute.
  Bytes destroy(core::Destruction& destruction, Timestamp now);
  void try_again(Timestamp now);

  /// Searches of a connection that is gone end: nobody would hear what they found.
  void forget(ConnectionId connection);
  bool active() const { return !waiting_.empty(); }

  static constexpr std::size_t kWaitingMax = 8;

 private:
  core::Engine& engine_;
  Search search_;
  std::deque<core::AskErasure> waiting_;  // the first is being searched for
  std::unique_ptr<care::ErasureSearch> active_;
  std::vector<KeyId> left_;  // to be destroyed, and the vault could not be written
  Timestamp tried_;
};

/// Destroys what the ledger says is erased and the vault still has: an erasure was cut short, or the vault is
/// older than its ledger. How many keys there were. Call it before anything is served.
Result<std::size_t> finish_erasures(const care::State& state, storage::Vault& vault);

}  // namespace carehub::server
