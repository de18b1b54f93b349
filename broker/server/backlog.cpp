#include "broker/server/backlog.hpp"

namespace carehub::server {

Backlog::Outcome Backlog::send(ConnectionId connection, Bytes frame) {
  if (!waiting_.contains(connection)) {
    switch (transport_.send(connection, frame)) {
      case Transport::Sent::sent: return Outcome::taken;
      case Transport::Sent::gone: return Outcome::gone;
      case Transport::Sent::full: break;
    }
  }
  Queue& queue = waiting_[connection];
  if (!queue.frames.empty() &&
      (queue.bytes + frame.size() > kPeerBytesMax || bytes_ + frame.size() > kBytesMax)) {
    return Outcome::over;
  }
  queue.bytes += frame.size();
  bytes_ += frame.size();
  ++frames_;
  queue.frames.push_back(std::move(frame));
  return Outcome::taken;
}

std::vector<ConnectionId> Backlog::flush() {
  std::vector<ConnectionId> gone;
  std::vector<ConnectionId> done;
  for (auto& [connection, queue] : waiting_) {
    auto sent = Transport::Sent::sent;
    while (!queue.frames.empty()) {
      sent = transport_.send(connection, queue.frames.front());
      if (sent != Transport::Sent::sent) break;
      queue.bytes -= queue.frames.front().size();
      bytes_ -= queue.frames.front().size();
      --frames_;
      queue.frames.pop_front();
    }
    if (sent == Transport::Sent::gone) gone.push_back(connection);
    if (queue.frames.empty()) done.push_back(connection);
  }
  for (const ConnectionId connection : done) waiting_.erase(connection);
  return gone;
}

std::vector<ConnectionId> Backlog::connections() const {
  std::vector<ConnectionId> found;
  for (const auto& [connection, queue] : waiting_) found.push_back(connection);
  return found;
}

void Backlog::forget(ConnectionId connection) {
  const auto found = waiting_.find(connection);
  if (found == waiting_.end()) return;
  bytes_ -= found->second.bytes;
  frames_ -= found->second.frames.size();
  waiting_.erase(found);
}

}  // namespace carehub::server
