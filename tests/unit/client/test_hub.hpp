#pragma once

#include <zmq.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "broker/base/limits.hpp"
#include "broker/base/wire_frame.hpp"
#include "tests/fakes/awaited.hpp"

namespace carehub::test {

/// The hub's end of the wire, frame by frame, driven by the test.
class TestHub {
 public:
  struct Received {
    Bytes peer;
    Bytes bytes;
    const wire::Frame& frame() const { return *wire::GetFrame(bytes.data()); }
  };

  explicit TestHub(void* context, std::string endpoint) : context_(context), endpoint_(std::move(endpoint)) {
    bind();
  }
  ~TestHub() { unbind(); }
  TestHub(const TestHub&) = delete;
  TestHub& operator=(const TestHub&) = delete;

  void bind() {
    socket_ = zmq_socket(context_, ZMQ_ROUTER);
    const int one = 1;
    const int none = 0;
    zmq_setsockopt(socket_, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    if (zmq_bind(socket_, endpoint_.c_str()) != 0) throw std::runtime_error("cannot bind the test's hub");
  }
  void unbind() {
    if (socket_ == nullptr) return;
    zmq_close(socket_);
    socket_ = nullptr;
  }

  /// The next frame with this verb within two minutes; others (heartbeats) are passed over.
  Received next(wire::Message verb) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (std::chrono::steady_clock::now() < until) {
      auto received = any(50);
      if (received && received->frame().message_type() == verb) return std::move(*received);
    }
    throw std::runtime_error(std::string("no frame came: ") + wire::EnumNameMessage(verb));
  }

  /// The next frame, if one comes within that time.
  std::optional<Received> any(int within_ms) {
    zmq_pollitem_t item{socket_, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, within_ms) <= 0) return std::nullopt;
    Received received{part(), part()};
    if (verified_frame(received.bytes) == nullptr)
      throw std::runtime_error("the client sent a frame that is none");
    return received;
  }

  /// Whether no frame with this verb comes within a moment.
  bool silent(wire::Message verb, int for_ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(for_ms);
    while (std::chrono::steady_clock::now() < until) {
      const auto received = any(10);
      if (received && received->frame().message_type() == verb) return false;
    }
    return true;
  }

  template <class Message>
  void send(const Bytes& peer, Message message) {
    send_bytes(peer, frame_bytes(std::move(message)));
  }
  void send_bytes(const Bytes& peer, const Bytes& bytes) {
    zmq_send(socket_, peer.data(), peer.size(), ZMQ_SNDMORE);
    zmq_send(socket_, bytes.data(), bytes.size(), 0);
  }

  /// Hello and Welcome.
  Received welcome() {
    Received hello = next(wire::Message::Hello);
    wire::WelcomeT answer;
    answer.hub = "test";
    answer.heartbeat_ms = limits::kHeartbeatMs;
    answer.publish_bytes_max = limits::kPublishBytesMax;
    answer.in_flight_max = 4096;
    send(hello.peer, std::move(answer));
    return hello;
  }

 private:
  Bytes part() {
    zmq_msg_t message;
    zmq_msg_init(&message);
    zmq_msg_recv(&message, socket_, 0);
    const auto* data = static_cast<const std::uint8_t*>(zmq_msg_data(&message));
    Bytes bytes(data, data + zmq_msg_size(&message));
    zmq_msg_close(&message);
    return bytes;
  }

  void* context_;
  std::string endpoint_;
  void* socket_ = nullptr;
};

struct Context {
  void* handle = zmq_ctx_new();
  Context() = default;
  ~Context() { zmq_ctx_term(handle); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

/// A small attendance event; `id` and `text` are free.
inline Bytes sample_event(const std::string& id) {
  flatbuffers::FlatBufferBuilder builder;
  event::EventT made;
  made.id = id;
  made.type = event::EventType::attendance;
  made.source_agency = "holm-school";
  made.person = std::make_unique<event::PersonT>();
  made.attendance = std::make_unique<event::AttendanceT>();
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &made));
  return finished_bytes(builder);
}

}  // namespace carehub::test
