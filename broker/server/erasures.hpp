#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "broker/care/erasure_search.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"

namespace carehub::server {

/// Searches for what is to be erased, one after the other and a part at a time, so that none holds up the
/// deliveries.
class Erasures {
 public:
  using Search = std::function<std::unique_ptr<care::ErasureSearch>(std::string person)>;

  explicit Erasures(Search search) : search_(std::move(search)) {}

  /// A frame that says no when too many wait, else nullopt.
  std::optional<Bytes> start(core::AskErasure ask);

  /// One search that has come to its end.
  struct Found {
    core::AskErasure ask;
    Result<core::ErasureFindings> findings;
  };
  /// Looks at the next part.
  std::optional<Found> advance();

  /// Searches of a connection that is gone end: nobody would hear what they found.
  void forget(ConnectionId connection);
  bool active() const { return !waiting_.empty(); }

  static Bytes failed(const core::AskErasure& ask, const Error& error);

  static constexpr std::size_t kWaitingMax = 8;

 private:
  Search search_;
  std::deque<core::AskErasure> waiting_;  // the first is being searched for
  std::unique_ptr<care::ErasureSearch> active_;
};

/// Destroys what the ledger says is erased and the vault still has: an erasure was cut short, or the vault is
/// older than its ledger. How many keys there were. Call it before anything is served.
Result<std::size_t> finish_erasures(const care::State& state, storage::Vault& vault);

}  // namespace carehub::server
