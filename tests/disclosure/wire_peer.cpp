#include "tests/disclosure/wire_peer.hpp"

#include <sodium.h>
#include <zmq.h>

#include <chrono>
#include <stdexcept>

namespace carehub::disclosure {
namespace {

constexpr std::size_t kRoutingIdBytes = 32;
constexpr auto kWaitMax = std::chrono::minutes(2);

void check(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

}  // namespace

struct WirePeer::Sockets {
  void* own_context = nullptr;  // nullptr: the hub's
  void* socket = nullptr;

  ~Sockets() {
    if (socket != nullptr) zmq_close(socket);
    if (own_context != nullptr) zmq_ctx_term(own_context);
  }
};

WirePeer::WirePeer(const client::ClientOptions& options) : sockets_(std::make_unique<Sockets>()) {
  if (options.zmq_context == nullptr) sockets_->own_context = zmq_ctx_new();
  sockets_->socket =
      zmq_socket(options.zmq_context != nullptr ? options.zmq_context : sockets_->own_context, ZMQ_DEALER);
  auto* socket = sockets_->socket;
  check(socket != nullptr, "a socket");
  std::string id(kRoutingIdBytes, '\0');
  randombytes_buf(id.data(), id.size());
  id.front() = 'p';
  const int none = 0;
  check(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id.data(), id.size()) == 0, "its routing id");
  check(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) == 0, "its linger");
  check(zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none) == 0, "its bound");
  if (options.curve) {
    const auto& curve = *options.curve;
    for (const auto& [option, key] : {std::pair{ZMQ_CURVE_SERVERKEY, &curve.server_public},
                                      std::pair{ZMQ_CURVE_PUBLICKEY, &curve.client_public},
                                      std::pair{ZMQ_CURVE_SECRETKEY, &curve.client_secret}})
      check(zmq_setsockopt(socket, option, key->c_str(), key->size() + 1) == 0, "its keys");
  }
  check(zmq_connect(socket, options.endpoint.c_str()) == 0, "a connection");
  wire::HelloT hello;
  hello.client = options.client;
  hello.agency = options.agency;
  send(std::move(hello));
  if (answer().as<wire::WelcomeT>() == nullptr) throw std::runtime_error("the hub does not welcome the peer");
}

WirePeer::~WirePeer() = default;
WirePeer::WirePeer(WirePeer&& other) noexcept = default;

void WirePeer::send_bytes(const Bytes& bytes) {
  check(zmq_send(sockets_->socket, bytes.data(), bytes.size(), 0) >= 0, "a frame is sent");
}

Arrived WirePeer::answer() {
  const auto until = std::chrono::steady_clock::now() + kWaitMax;
  while (answers_.empty()) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error("no answer within two minutes");
    read_for(100);
  }
  auto next = std::move(answers_.front());
  answers_.pop_front();
  return next;
}

std::deque<Arrived> WirePeer::take_deliveries() { return std::exchange(deliveries_, {}); }

void WirePeer::read_for(long wait_ms) {
  zmq_pollitem_t item{sockets_->socket, 0, ZMQ_POLLIN, 0};
  check(zmq_poll(&item, 1, wait_ms) >= 0, "a wait");
  while (true) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const bool came = zmq_msg_recv(&message, sockets_->socket, ZMQ_DONTWAIT) >= 0;
    const auto* data = static_cast<const std::uint8_t*>(zmq_msg_data(&message));
    if (came) take(Bytes(data, data + zmq_msg_size(&message)));
    zmq_msg_close(&message);
    if (!came) return;
  }
}

void WirePeer::take(Bytes bytes) {
  const auto* frame = verified_frame(bytes);
  if (frame == nullptr) throw std::runtime_error("what came is no frame");
  Arrived arrived;
  frame->UnPackTo(&arrived.frame);
  arrived.bytes = std::move(bytes);
  if (const auto* heartbeat = arrived.as<wire::HeartbeatT>()) {
    send(*heartbeat);
  } else if (const auto* deliver = arrived.as<wire::DeliverT>()) {
    wire::AckT ack;
    ack.subscription = deliver->subscription;
    for (const auto& each : deliver->deliveries) ack.ranges.emplace_back(each->sequence, each->sequence);
    send(std::move(ack));
    deliveries_.push_back(std::move(arrived));
  } else {
    answers_.push_back(std::move(arrived));
  }
}

}  // namespace carehub::disclosure
