#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "broker/care/erasure_search.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"
#include "broker/server/worker.hpp"

namespace carehub::server {

/// Erasures under way: the searches for what is to go, one after the other and a part at a time, so that none
/// holds up the deliveries; the keys that go once an Erasure is durable; and the older copies of the vault,
/// which are looked for on a thread of their own, since they may be many and far away.
class Erasures {
 public:
  using Search = std::function<std::unique_ptr<care::ErasureSearch>(std::string person)>;

  /// Runs work elsewhere, one piece after the other.
  using Apart = std::function<void(std::function<void()>)>;

  /// Engine and state outlive it. Without a search nothing is erased. `wake` is called on that thread when
  /// advance() has something to say; without it copies are looked for on the caller's. `apart` takes the
  /// place of that thread.
  Erasures(core::Engine& engine, care::State& state, Search search, std::function<void()> wake = {},
           Apart apart = {})
      : engine_(engine),
        state_(state),
        search_(std::move(search)),
        wake_(std::move(wake)),
        apart_(std::move(apart)) {}

  /// A frame that says no when too many wait, else nullopt.
  std::optional<Bytes> start(core::AskErasure ask);

  /// Looks at the next part, and tells each asker every second how far that is; what it leads to once all was
  /// looked at, and what is to be said of keys that are gone. An error is the engine's.
  Result<void> advance(Timestamp now, core::Decision& out);

  /// Destroys keys whose Erasure is durable, once the state's rows on disk are without the person; advance()
  /// answers. Where disk or vault cannot be written an alarm rises, the frame says so, and try_again() does
  /// it each minute.
  std::optional<Bytes> destroy(core::Destruction destruction, Timestamp now);
  void try_again(Timestamp now);

  /// Searches of a connection that is gone end: nobody would hear what they found.
  void forget(ConnectionId connection);
  bool active() const { return !waiting_.empty(); }

  static constexpr std::size_t kWaitingMax = 8;

 private:
  struct Looked {
    core::Destruction destruction;
    std::vector<std::string> copies;
  };
  void tell_progress(Timestamp now, core::Decision& out);
  Result<void> destroy_keys(const std::vector<KeyId>& keys);
  void look_for_copies(core::Destruction destruction);

  core::Engine& engine_;
  care::State& state_;
  Search search_;
  std::function<void()> wake_;
  Apart apart_;
  std::deque<core::AskErasure> waiting_;  // the first is being searched for
  std::unique_ptr<care::ErasureSearch> active_;
  Timestamp told_;           // how far the search is
  std::vector<KeyId> left_;  // to be destroyed, and the vault could not be written
  Timestamp tried_;
  std::mutex mutex_;  // copies are looked for on another thread
  std::deque<Looked> looked_;
  std::optional<Worker> worker_;  // the last: it goes first
};

/// Destroys what the ledger says is erased and the vault still has: an erasure was cut short, or the vault is
/// older than its ledger. How many keys there were. Call it before anything is served.
Result<std::size_t> finish_erasures(care::State& state, storage::Vault& vault);

}  // namespace carehub::server
