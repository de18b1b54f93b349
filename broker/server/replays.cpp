#include "broker/server/replays.hpp"

#include <algorithm>

#include "broker/core/wire_frames.hpp"

namespace carehub::server {

std::optional<Bytes> Replays::start(core::AskReplay ask) {
  const auto of_peer = std::count_if(active_.begin(), active_.end(), [&](const Active& each) {
    return each.ask.peer.connection == ask.peer.connection;
  });
  if (active_.size() >= kActiveMax || static_cast<std::size_t>(of_peer) >= kPeerActiveMax) {
    return core::refused_replay(ask.replay.number, ErrorKind::overloaded,
                                "too many replays run now; ask again when one has ended");
  }
  const Sequence first = ask.replay.first;
  active_.push_back({std::move(ask), first});
  return std::nullopt;
}

std::optional<ConnectionId> Replays::advance(bool& sent) {
  sent = false;
  for (auto each = active_.begin(); each != active_.end(); ++each) {
    const ConnectionId connection = each->ask.peer.connection;
    if (backlog_.holds(connection)) continue;
    auto part = history_.replay(each->ask, each->next);
    each->next = part.next;
    const bool last = part.frame.last;
    part.frame.number = each->ask.replay.number;
    sent = true;
    const auto outcome = backlog_.send(connection, core::replayed_frame(part.frame));
    if (outcome != Backlog::Outcome::taken) return connection;
    if (last) {
      active_.erase(each);
    } else {
      active_.splice(active_.end(), active_, each);
    }
    return std::nullopt;
  }
  return std::nullopt;
}

void Replays::forget(ConnectionId connection) {
  active_.remove_if([connection](const Active& each) { return each.ask.peer.connection == connection; });
}

}  // namespace carehub::server
