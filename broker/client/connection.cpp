#include "broker/client/connection.hpp"

#include <array>
#include <cstring>
#include <zmq.hpp>

namespace carehub::client {

namespace {

constexpr std::size_t kRoutingIdBytes = 32;
constexpr std::size_t kZ85KeyLength = 40;
constexpr int kSendFramesMax = 64;  // queued in the socket; the rest stays in the outbox, where it is counted
constexpr int kReceiveFramesMax = 256;  // credit bounds what they hold
constexpr int kLingerMs = 200;

bool is_z85_key(const std::string& key) {
  std::array<std::uint8_t, 32> bytes{};
  return key.size() == kZ85KeyLength && zmq_z85_decode(bytes.data(), key.c_str()) != nullptr;
}

bool set(void* socket, int option, const void* value, std::size_t size) {
  return zmq_setsockopt(socket, option, value, size) == 0;
}

bool set(void* socket, int option, int value) { return set(socket, option, &value, sizeof value); }

bool set(void* socket, int option, const std::string& text) {
  return set(socket, option, text.data(), text.size());
}

bool use_limits(void* socket) {
  const auto frame_bytes_max = static_cast<std::int64_t>(limits::kFrameBytesMax);
  return set(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) &&
         set(socket, ZMQ_LINGER, kLingerMs) && set(socket, ZMQ_SNDHWM, kSendFramesMax) &&
         set(socket, ZMQ_RCVHWM, kReceiveFramesMax) && set(socket, ZMQ_RECONNECT_IVL, -1) &&
         set(socket, ZMQ_HEARTBEAT_IVL, static_cast<int>(limits::kHeartbeatMs)) &&
         set(socket, ZMQ_HEARTBEAT_TIMEOUT, static_cast<int>(limits::kPeerSilenceMs));
}

bool use_keys(void* socket, const CurveKeys& keys) {
  return set(socket, ZMQ_CURVE_SERVERKEY, keys.server_public) &&
         set(socket, ZMQ_CURVE_PUBLICKEY, keys.client_public) &&
         set(socket, ZMQ_CURVE_SECRETKEY, keys.client_secret);
}

/// What one event of ZMQ's monitor means; nullptr for those that say no more than that it is over.
const char* reason_of(const zmq::message_t& event) {
  std::uint16_t kind = 0;
  if (event.size() < sizeof kind) return nullptr;
  std::memcpy(&kind, event.data(), sizeof kind);
  if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
    return "the hub does not know this key: have its public part written into a [[client]] of the hub";
  if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
    return "the hub ended the handshake: is server_public_file the hub's own public key?";
  return nullptr;
}

}  // namespace

Result<void> check_options(const ClientOptions& options) {
  const std::string& endpoint = options.endpoint;
  const bool tcp = endpoint.starts_with("tcp://");
  if (!tcp && !endpoint.starts_with("ipc://") && !endpoint.starts_with("inproc://")) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: use inproc://, ipc:// or tcp://");
  }
  if (endpoint.starts_with("inproc://") && options.zmq_context == nullptr) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: inproc needs the hub's own ZeroMQ context");
  }
  if (tcp && !options.curve) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: TCP needs CURVE keys");
  }
  if (options.curve &&
      (!is_z85_key(options.curve->server_public) || !is_z85_key(options.curve->client_public) ||
       !is_z85_key(options.curve->client_secret))) {
    return fail(ErrorKind::invalid, "CURVE keys for `" + endpoint + "`: each is 40 characters of Z85");
  }
  if (options.client.size() > limits::kNameBytesMax || options.agency.size() > limits::kNameBytesMax) {
    return fail(ErrorKind::invalid, "client and agency names have at most 128 bytes");
  }
  return {};
}

Result<std::unique_ptr<Connection>> Connection::open(void* context, const ClientOptions& options,
                                                     Random& random) {
  if (auto checked = check_options(options); !checked) return tl::unexpected(checked.error());
  std::array<std::uint8_t, kRoutingIdBytes> routing_id{};
  random.fill(routing_id);
  routing_id[0] |= 1U;  // ids that begin with 0 are ZeroMQ's own
  const std::string& endpoint = options.endpoint;
  Socket socket(zmq_socket(context, ZMQ_DEALER), &zmq_close);
  Socket monitor(zmq_socket(context, ZMQ_PAIR), &zmq_close);
  if (socket == nullptr || monitor == nullptr) {
    return fail(ErrorKind::unavailable, "no socket for `" + endpoint + "`: too many open files");
  }
  if (!set(socket.get(), ZMQ_ROUTING_ID, routing_id.data(), routing_id.size()) || !use_limits(socket.get()) ||
      (options.curve && !use_keys(socket.get(), *options.curve))) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: " + zmq_strerror(zmq_errno()));
  }
  std::array<std::uint8_t, 8> name{};
  random.fill(name);
  const std::string events = "inproc://carehub.client.events." + to_hex(name);
  constexpr int kEndingEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  if (zmq_socket_monitor(socket.get(), events.c_str(), kEndingEvents) != 0 ||
      !set(monitor.get(), ZMQ_LINGER, 0) || zmq_connect(monitor.get(), events.c_str()) != 0) {
    return fail(ErrorKind::unavailable, "cannot watch the connection to `" + endpoint + "`");
  }
  if (zmq_connect(socket.get(), endpoint.c_str()) != 0) {
    return fail(ErrorKind::invalid, "endpoint `" + endpoint + "`: " + zmq_strerror(zmq_errno()));
  }
  return std::unique_ptr<Connection>(new Connection(std::move(socket), std::move(monitor)));
}

Connection::Connection(Socket socket, Socket monitor)
    : socket_(std::move(socket)), monitor_(std::move(monitor)) {}

Connection::~Connection() {
  // ZeroMQ's own thread would wait for ever to tell of the end where nobody reads the events any more.
  zmq_socket_monitor(socket_.get(), nullptr, 0);
}

Connection::Sent Connection::send(BytesView frame) {
  while (true) {
    if (zmq_send(socket_.get(), frame.data(), frame.size(), ZMQ_DONTWAIT) >= 0) return Sent::sent;
    if (zmq_errno() == EINTR) continue;
    if (zmq_errno() != EAGAIN) lost_ = true;
    return Sent::full;
  }
}

std::optional<Bytes> Connection::receive() {
  zmq::message_t message;
  bool several = false;
  while (true) {
    if (zmq_msg_recv(message.handle(), socket_.get(), ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() == EINTR) continue;
      if (zmq_errno() != EAGAIN) lost_ = true;
      return std::nullopt;
    }
    const bool more = message.more();
    if (!more && !several) break;
    several = more;  // not ours: frames are single; what has several parts is dropped whole
  }
  const auto* data = message.data<const std::uint8_t>();
  return Bytes(data, data + message.size());
}

bool Connection::lost() {
  zmq::message_t part;
  // Only events that end a connection are watched, so any of them will do. The event comes before its
  // address.
  while (zmq_msg_recv(part.handle(), monitor_.get(), ZMQ_DONTWAIT) >= 0) {
    lost_ = true;
    if (!part.more()) continue;
    if (const char* reason = reason_of(part)) why_ = reason;
  }
  return lost_;
}

void Connection::poll(int wake_fd, bool for_output, long timeout_ms) {
  const auto output = static_cast<short>(for_output ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
  std::array<zmq_pollitem_t, 3> items{
      {{socket_.get(), 0, output, 0}, {monitor_.get(), 0, ZMQ_POLLIN, 0}, {nullptr, wake_fd, ZMQ_POLLIN, 0}}};
  if (zmq_poll(items.data(), static_cast<int>(items.size()), timeout_ms) < 0 && zmq_errno() == ETERM)
    lost_ = true;
}

}  // namespace carehub::client
