#pragma once

#include <unordered_map>

#include "broker/core/engine.hpp"
#include "broker/server/transport.hpp"

namespace carehub::server {

/// Who has said Hello, and when each was last heard and spoken to.
class Peers {
 public:
  /// Takes a Hello. Error `denied`: it claims another agency than its key. `invalid`: names that cannot be,
  /// or a second Hello.
  Result<void> greet(const Received& received, const wire::Hello& hello, Timestamp now);

  const core::Peer* find(ConnectionId connection) const;
  void heard(ConnectionId connection, Timestamp now);
  void said(ConnectionId connection, Timestamp now);
  void forget(ConnectionId connection) { peers_.erase(connection); }

  /// Those to whom nothing was said since `before`, and those who were not heard since.
  std::vector<ConnectionId> unspoken(Timestamp before) const;
  std::vector<ConnectionId> silent(Timestamp before) const;
  std::vector<ConnectionId> all() const;
  std::size_t count() const { return peers_.size(); }

 private:
  struct One {
    core::Peer peer;
    Timestamp heard;
    Timestamp said;
  };
  std::unordered_map<ConnectionId, One> peers_;
};

}  // namespace carehub::server
