#include "broker/server/zmq_transport.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cstring>

#include "broker/base/limits.hpp"
#include "broker/core/wire_frames.hpp"
#include "broker/server/ipc_file.hpp"
#include "broker/server/log.hpp"

namespace carehub::server {

namespace {

constexpr std::size_t kRoutingIdBytes = 32;
// Frames that ZeroMQ holds for one peer, each way. Bursts beyond it wait in the loop, where bytes are
// counted.
constexpr int kSendFramesMax = 32;
constexpr int kReceiveFramesMax = 64;
constexpr int kLingerMs = 500;
constexpr int kUnbindMs = 1'000;

bool set(void* socket, int option, const void* value, std::size_t size) {
  return zmq_setsockopt(socket, option, value, size) == 0;
}

bool set(void* socket, int option, int value) { return set(socket, option, &value, sizeof value); }

bool use_limits(void* socket) {
  const auto frame_bytes_max = static_cast<std::int64_t>(limits::kFrameBytesMax);
  return set(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) &&
         set(socket, ZMQ_LINGER, kLingerMs) && set(socket, ZMQ_SNDHWM, kSendFramesMax) &&
         set(socket, ZMQ_RCVHWM, kReceiveFramesMax) && set(socket, ZMQ_ROUTER_MANDATORY, 1) &&
         set(socket, ZMQ_BACKLOG, 512) &&
         set(socket, ZMQ_HEARTBEAT_IVL, static_cast<int>(limits::kHeartbeatMs)) &&
         set(socket, ZMQ_HEARTBEAT_TIMEOUT, static_cast<int>(limits::kPeerSilenceMs)) &&
         set(socket, ZMQ_HEARTBEAT_TTL, static_cast<int>(limits::kPeerSilenceMs)) &&
         set(socket, ZMQ_HANDSHAKE_IVL, static_cast<int>(limits::kPeerSilenceMs));
}

/// From here on the socket's new listeners speak CURVE and ask the authenticator; listeners bound before are
/// not touched.
bool use_curve(void* socket, const std::string& secret) {
  return set(socket, ZMQ_CURVE_SERVER, 1) && set(socket, ZMQ_CURVE_SECRETKEY, secret.data(), secret.size()) &&
         set(socket, ZMQ_ZAP_DOMAIN, kZapDomain, std::strlen(kZapDomain));
}

bool is_tcp(const std::string& endpoint) { return endpoint.starts_with("tcp://"); }

std::string property(zmq_msg_t& message, const char* name) {
  const char* value = zmq_msg_gets(&message, name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

/// A message in two parts, as ROUTER gives it.
struct ZmqTransport::Incoming {
  zmq_msg_t id;
  zmq_msg_t body;
  Incoming() {
    zmq_msg_init(&id);
    zmq_msg_init(&body);
  }
  ~Incoming() {
    zmq_msg_close(&id);
    zmq_msg_close(&body);
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  std::string routing_id() { return {static_cast<const char*>(zmq_msg_data(&id)), zmq_msg_size(&id)}; }
};

Result<std::unique_ptr<ZmqTransport>> ZmqTransport::open(const Options& options) {
  Socket router(zmq_socket(options.context, ZMQ_ROUTER), &zmq_close);
  Socket monitor(zmq_socket(options.context, ZMQ_PAIR), &zmq_close);
  if (router == nullptr || monitor == nullptr || !use_limits(router.get())) {
    return fail(ErrorKind::unavailable, "no socket for the hub: too many open files");
  }
  std::array<char, 64> events{};
  snprintf(events.data(), events.size(), "inproc://carehub.hub.events.%p", router.get());
  if (zmq_socket_monitor(router.get(), events.data(), ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED) != 0 ||
      !set(monitor.get(), ZMQ_LINGER, 0) || !set(monitor.get(), ZMQ_RCVHWM, 0) ||
      zmq_connect(monitor.get(), events.data()) != 0) {
    return fail(ErrorKind::unavailable, "cannot watch the hub's connections");
  }
  auto transport = std::unique_ptr<ZmqTransport>(
      new ZmqTransport(std::move(router), std::move(monitor), options.authenticator));
  // Local endpoints first: the keys are set for what is bound after them.
  for (const std::string& endpoint : options.endpoints) {
    if (is_tcp(endpoint)) continue;
    if (auto bound = transport->bind(endpoint); !bound) return tl::unexpected(bound.error());
  }
  bool curve = false;
  for (const std::string& endpoint : options.endpoints) {
    if (!is_tcp(endpoint)) continue;
    if (options.authenticator == nullptr || options.curve_secret.empty()) {
      return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: TCP needs the hub's secret key");
    }
    if (!curve && !use_curve(transport->router_.get(), options.curve_secret)) {
      return fail(ErrorKind::invalid, "the hub's secret key is not 40 characters of Z85");
    }
    curve = true;
    if (auto bound = transport->bind(endpoint); !bound) return tl::unexpected(bound.error());
  }
  return transport;
}

ZmqTransport::ZmqTransport(Socket router, Socket monitor, Authenticator* authenticator)
    : router_(std::move(router)),
      monitor_(std::move(monitor)),
      authenticator_(authenticator),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

ZmqTransport::~ZmqTransport() {
  for (const std::string& endpoint : endpoints_) {
    if (zmq_unbind(router_.get(), endpoint.c_str()) != 0 || endpoint.starts_with("inproc://")) continue;
    // Port and file are free once the listener says so; a hub that starts right after needs them.
    zmq_pollitem_t item{monitor_.get(), 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, kUnbindMs) > 0) read_monitor();
    if (endpoint.starts_with("ipc://")) ::unlink(endpoint.substr(6).c_str());
  }
  // ZeroMQ's own thread would wait for ever to tell of an end where nobody reads the events any more.
  zmq_socket_monitor(router_.get(), nullptr, 0);
  ::close(wake_fd_);
}

Result<void> ZmqTransport::bind(const std::string& endpoint) {
  const bool ipc = endpoint.starts_with("ipc://");
  if (!ipc && !is_tcp(endpoint) && !endpoint.starts_with("inproc://")) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: use inproc://, ipc:// or tcp://");
  }
  if (ipc) {
    if (auto cleared = clear_stale_socket(endpoint.substr(6)); !cleared) return cleared;
  }
  const bool bound = ipc ? with_private_files([&] { return zmq_bind(router_.get(), endpoint.c_str()) == 0; })
                         : zmq_bind(router_.get(), endpoint.c_str()) == 0;
  if (!bound) {
    const int error = zmq_errno();
    const bool malformed = error == EINVAL || error == EPROTONOSUPPORT || error == ENAMETOOLONG;
    return fail(malformed ? ErrorKind::invalid : ErrorKind::unavailable,
                "endpoint `" + endpoint + "` cannot be bound: " + zmq_strerror(error));
  }
  std::array<char, 256> name{};
  std::size_t size = name.size();
  const bool named = zmq_getsockopt(router_.get(), ZMQ_LAST_ENDPOINT, name.data(), &size) == 0;
  endpoints_.push_back(named ? std::string(name.data()) : endpoint);
  return {};
}

void ZmqTransport::wait(std::uint32_t timeout_ms, bool for_frames) {
  std::array<zmq_pollitem_t, 4> items{};
  items[0] = {nullptr, wake_fd_, ZMQ_POLLIN, 0};
  int count = 1;
  if (for_frames) {
    items[1] = {router_.get(), 0, ZMQ_POLLIN, 0};
    items[2] = {monitor_.get(), 0, ZMQ_POLLIN, 0};
    items[3] = {authenticator_ == nullptr ? nullptr : authenticator_->socket(), wake_fd_, ZMQ_POLLIN, 0};
    count = 4;
    if (!gone_.empty()) timeout_ms = 0;
  }
  zmq_poll(items.data(), count, static_cast<long>(timeout_ms));
  if ((items[0].revents & ZMQ_POLLIN) == 0) return;
  std::uint64_t raised = 0;
  [[maybe_unused]] const auto taken = ::read(wake_fd_, &raised, sizeof raised);
}

void ZmqTransport::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void ZmqTransport::check_keys() {
  keys_changed_ = true;
  wake();
}

void ZmqTransport::read_monitor() {
  zmq_msg_t part;
  zmq_msg_init(&part);
  while (zmq_msg_recv(&part, monitor_.get(), ZMQ_DONTWAIT) >= 0) {
    std::uint16_t event = 0;
    std::int32_t descriptor = -1;
    if (zmq_msg_size(&part) == sizeof event + sizeof descriptor) {
      const auto* data = static_cast<const std::uint8_t*>(zmq_msg_data(&part));
      std::memcpy(&event, data, sizeof event);
      std::memcpy(&descriptor, data + sizeof event, sizeof descriptor);
    }
    while (zmq_msg_more(&part) != 0) zmq_msg_recv(&part, monitor_.get(), 0);
    if (event != ZMQ_EVENT_DISCONNECTED) continue;
    std::vector<ConnectionId> lost;
    for (const auto& [connection, bound] : bound_) {
      if (bound.source == descriptor) lost.push_back(connection);
    }
    for (const ConnectionId connection : lost) drop(connection);
  }
  zmq_msg_close(&part);
}

void ZmqTransport::drop(ConnectionId connection) {
  close(connection);
  gone_.push_back(connection);
}

void ZmqTransport::close(ConnectionId connection) {
  const auto found = bound_.find(connection);
  if (found == bound_.end()) return;
  by_routing_id_.erase(found->second.routing_id);
  const auto user = by_user_.find(found->second.user_id);
  if (--user->second == 0) by_user_.erase(user);
  bound_.erase(found);
}

/// False when nothing waits. A message that is not of two parts is dropped.
bool ZmqTransport::read_one(Incoming& incoming) {
  while (true) {
    if (zmq_msg_recv(&incoming.id, router_.get(), ZMQ_DONTWAIT) < 0) return false;
    bool whole = zmq_msg_more(&incoming.id) != 0 && zmq_msg_recv(&incoming.body, router_.get(), 0) >= 0;
    while (whole && zmq_msg_more(&incoming.body) != 0) {
      zmq_msg_recv(&incoming.body, router_.get(), 0);
      if (zmq_msg_more(&incoming.body) == 0) whole = false;
    }
    if (whole) return true;
    ++unaddressed_;
  }
}

bool ZmqTransport::has_room(const Bound& bound) const {
  const auto count = [this](const std::string& user) {
    const auto found = by_user_.find(user);
    return found == by_user_.end() ? 0 : found->second;
  };
  const std::size_t local = count({});
  if (bound.is_local) return local < limits::kConnectionsMax;
  return count(bound.user_id) < kConnectionsPerKeyMax && bound_.size() - local < limits::kConnectionsMax;
}

/// Told once for each agency, however often it comes again.
void ZmqTransport::refuse(const Bound& bound) {
  ++beyond_limit_;
  const std::string agency = bound.user_id.substr(0, bound.user_id.find('/'));
  if (told_.insert(agency).second) {
    const std::string whose = bound.is_local   ? "this machine"
                              : agency.empty() ? "an operator's key"
                                               : "a key of agency `" + agency + "`";
    log_alarm("too_many_connections", whose +
                                          " has as many connections open as it may, and more are refused: "
                                          "look for a client there that opens without closing");
  }
  static const Bytes frame = core::rejected_frame(
      ErrorKind::overloaded, "too many connections are open with this key; close some", true);
  if (zmq_send(router_.get(), bound.routing_id.data(), bound.routing_id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >=
      0) {
    zmq_send(router_.get(), frame.data(), frame.size(), ZMQ_DONTWAIT);
  }
}

/// The connection that this message belongs to, bound now when it is its first; 0: refused.
ConnectionId ZmqTransport::connection_of(const Incoming& incoming) {
  Incoming& message = const_cast<Incoming&>(incoming);
  Bound bound;
  bound.routing_id = message.routing_id();
  bound.user_id = property(message.body, "User-Id");
  bound.source = zmq_msg_get(&message.body, ZMQ_SRCFD);
  const std::string peer = property(message.body, "Peer-Address");
  // A unix socket's peer is localhost:uid:gid:pid, inproc has none, and a TCP peer's address is numeric. TCP
  // without a User-Id cannot be, and is not believed.
  bound.is_local = bound.user_id.empty() && (peer.empty() || peer.starts_with("localhost:"));
  if (bound.routing_id.size() != kRoutingIdBytes || bound.routing_id.front() == '\0' ||
      (!bound.is_local && bound.user_id.empty())) {
    ++unaddressed_;
    return 0;
  }
  if (const auto found = by_routing_id_.find(bound.routing_id); found != by_routing_id_.end()) {
    const ConnectionId known = found->second;
    const Bound& before = bound_.at(known);
    if (before.user_id == bound.user_id && before.is_local == bound.is_local &&
        before.source == bound.source) {
      return known;
    }
    drop(known);  // its address is in other hands
    ++unaddressed_;
    return 0;
  }
  const bool revoked = !bound.is_local && !authenticator_->allows(bound.user_id);
  if (revoked) {
    ++unaddressed_;
    return 0;
  }
  if (!has_room(bound)) {
    refuse(bound);
    return 0;
  }
  const ConnectionId fresh = next_++;
  ++by_user_[bound.user_id];
  by_routing_id_.emplace(bound.routing_id, fresh);
  bound_.emplace(fresh, std::move(bound));
  return fresh;
}

void ZmqTransport::receive(std::vector<Received>& out, std::size_t frames_max, std::size_t bytes_max) {
  if (authenticator_ != nullptr) {
    authenticator_->answer();
    if (keys_changed_.exchange(false)) {
      std::vector<ConnectionId> revoked;
      for (const auto& [connection, bound] : bound_) {
        if (!bound.is_local && !authenticator_->allows(bound.user_id)) revoked.push_back(connection);
      }
      for (const ConnectionId connection : revoked) drop(connection);
    }
  }
  Incoming incoming;
  std::size_t bytes = 0;
  read_monitor();
  for (std::size_t frames = 0; frames < frames_max && bytes < bytes_max; ++frames) {
    if (!read_one(incoming)) break;
    // What ended before this message came is known by now, and must be unbound before its address is looked
    // up.
    read_monitor();
    const ConnectionId connection = connection_of(incoming);
    while (!gone_.empty()) {
      out.push_back({gone_.front(), true, false, {}, {}, {}});
      gone_.pop_front();
    }
    if (connection == 0) continue;
    const Bound& bound = bound_.at(connection);
    const auto* data = static_cast<const std::uint8_t*>(zmq_msg_data(&incoming.body));
    Received received{connection, false, bound.is_local,
                      {},         {},    Bytes(data, data + zmq_msg_size(&incoming.body))};
    if (const auto slash = bound.user_id.find('/'); slash != std::string::npos) {
      const auto key_at = bound.user_id.find('/', slash + 1);
      received.agency = bound.user_id.substr(0, slash);
      received.client = bound.user_id.substr(slash + 1, key_at - slash - 1);
    }
    bytes += received.bytes.size();
    out.push_back(std::move(received));
  }
  while (!gone_.empty()) {
    out.push_back({gone_.front(), true, false, {}, {}, {}});
    gone_.pop_front();
  }
}

Transport::Sent ZmqTransport::send(ConnectionId connection, BytesView frame) {
  read_monitor();  // what was sent to an address whose socket has ended could reach whoever takes it next
  const auto found = bound_.find(connection);
  if (found == bound_.end()) return Sent::gone;
  const std::string& routing_id = found->second.routing_id;
  if (zmq_send(router_.get(), routing_id.data(), routing_id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
    if (zmq_errno() == EAGAIN || zmq_errno() == EINTR) return Sent::full;
    drop(connection);
    return Sent::gone;
  }
  if (zmq_send(router_.get(), frame.data(), frame.size(), ZMQ_DONTWAIT) < 0) {
    drop(connection);
    return Sent::gone;
  }
  return Sent::sent;
}

}  // namespace carehub::server
