#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <unordered_map>

#include "broker/server/authenticator.hpp"
#include "broker/server/transport.hpp"

namespace carehub::server {

/// One ROUTER socket on all endpoints. A routing id is an address, not an identity: it has to be 32 bytes of
/// the client's own making; it is bound to the User-Id and socket that it first came with, and the binding
/// ends with that socket, so whoever takes the id afterwards is a stranger. HANDOVER is off for the same
/// reason: an id in use cannot be taken at all. All but wake() and the constructor's thread belong to the
/// loop.
class ZmqTransport final : public Transport {
 public:
  struct Options {
    void* context = nullptr;
    std::vector<std::string> endpoints;      // inproc://, ipc://, tcp://
    std::string curve_secret;                // Z85; needed for tcp://
    Authenticator* authenticator = nullptr;  // outlives the transport; needed for tcp://
  };

  /// Errors: `invalid` (an endpoint or key is malformed, TCP without keys), `unavailable` (the port or file
  /// is taken). Nothing is left bound then.
  static Result<std::unique_ptr<ZmqTransport>> open(const Options& options);
  ~ZmqTransport() override;

  void wait(std::uint32_t timeout_ms, bool for_frames) override;
  void wake() override;
  void receive(std::vector<Received>& out, std::size_t frames_max, std::size_t bytes_max) override;
  Sent send(ConnectionId connection, BytesView frame) override;
  void close(ConnectionId connection) override;

  /// Connections whose key is not on the list any more are gone from the next receive() on. Thread-safe.
  void check_keys();

  /// As bound: a port given as * is filled in.
  const std::vector<std::string>& endpoints() const { return endpoints_; }
  /// Frames that were dropped for a wrong routing id or User-Id.
  std::uint64_t unaddressed() const { return unaddressed_; }
  /// Frames of connections that were refused because their key, or this machine, has as many as it may.
  std::uint64_t beyond_limit() const { return beyond_limit_; }

  /// Of one key, so that nobody can shut the others out. Connections within this machine are not counted
  /// among those of keys.
  static constexpr std::size_t kConnectionsPerKeyMax = 64;

 private:
  using Socket = std::unique_ptr<void, int (*)(void*)>;
  struct Bound {
    std::string routing_id;
    std::string user_id;
    bool is_local = false;
    int source = -1;  // the file descriptor it came from; -1 within the process
  };
  struct Incoming;

  ZmqTransport(Socket router, Socket monitor, Authenticator* authenticator);
  Result<void> bind(const std::string& endpoint);
  void read_monitor();
  void drop(ConnectionId connection);
  bool read_one(Incoming& incoming);
  ConnectionId connection_of(const Incoming& incoming);
  bool has_room(const Bound& bound) const;
  void refuse(const Bound& bound);

  Socket router_;
  Socket monitor_;
  Authenticator* authenticator_;
  int wake_fd_;
  std::atomic<bool> keys_changed_ = false;
  std::vector<std::string> endpoints_;
  std::unordered_map<ConnectionId, Bound> bound_;
  std::unordered_map<std::string, ConnectionId> by_routing_id_;
  std::unordered_map<std::string, std::size_t> by_user_;  // connections of each; "": local ones
  std::set<std::string> told_;                            // agencies that were refused one, for the log
  std::deque<ConnectionId> gone_;
  ConnectionId next_ = 1;
  std::uint64_t unaddressed_ = 0;
  std::uint64_t beyond_limit_ = 0;
};

}  // namespace carehub::server
