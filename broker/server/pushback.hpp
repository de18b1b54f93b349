#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/core/engine.hpp"

namespace carehub::server {

/// Says `overloaded` to publishers while the hub can take nothing, and keeps each one's order afterwards: as
/// long as an item that was told so has not come again, no later one of that connection is taken, or it would
/// overtake an earlier one of the same child. A second copy of what was taken before is not waited for: who
/// reads the first one's outcome does not send it again. For one thread.
class Pushback {
 public:
  /// The answer to a frame that is not to be decided; nothing of it is kept, and its items are to be sent
  /// again under their numbers. nullopt: it may be decided.
  std::optional<Bytes> answer(ConnectionId connection, const wire::Publish& publish, bool full,
                              Timestamp now);

  void forget(ConnectionId connection);

  /// Items that were told so.
  std::uint64_t items() const { return items_; }

  /// Who does not send again what was told overloaded, but other items, is taken to have given it up.
  static constexpr std::int64_t kForgetUs = 10 * kSecondUs;

 private:
  struct Told {
    std::vector<std::uint64_t> numbers;  // sorted; have not come again
    Timestamp since;
  };

  std::nullopt_t take(ConnectionId connection, const wire::Publish& publish);

  std::unordered_map<ConnectionId, Told> told_;
  std::unordered_map<ConnectionId, std::uint64_t> taken_;  // the highest number that may have been decided
  std::uint64_t items_ = 0;
};

}  // namespace carehub::server
