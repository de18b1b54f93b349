#include "adapters/transports/mllp_listener.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::TcpPeer;
using Reply = std::function<void(TransportReply)>;

std::string framed(const std::string& message) { return "\x0B" + message + "\x1C\r"; }

/// The channel's side: keeps what came and answers when the test says so, or at once.
class Inbox {
 public:
  Receive receive() {
    return [this](Bytes message, Arrival, Reply reply) {
      std::unique_lock lock(mutex_);
      messages_.emplace_back(text_of(message));
      if (busy_ > 0) {
        --busy_;
        lock.unlock();
        reply({.busy = true, .messages = {}, .results = {}});
      } else if (hold_) {
        held_.push_back(std::move(reply));
      } else {
        lock.unlock();
        reply({.busy = false, .messages = {answer_to(message)}, .results = {}});
      }
    };
  }
  static Bytes answer_to(BytesView message) {
    const std::string text = "ACK " + std::string(text_of(message));
    return {text.begin(), text.end()};
  }
  void hold(bool all = true) { hold_ = all; }
  void busy(int times) { busy_ = times; }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::vector<Reply> held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }
  void answer_held(std::size_t index) {
    const std::string text = "ACK " + messages().at(index);
    held().at(index)({.busy = false, .messages = {Bytes(text.begin(), text.end())}, .results = {}});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> messages_;
  std::vector<Reply> held_;
  std::atomic<bool> hold_{false};
  std::atomic<int> busy_{0};
};

struct Listening {
  explicit Listening(MllpListenerOptions options = {}) : listener(io, with_name(std::move(options))) {
    REQUIRE(listener.start(inbox.receive()));
  }
  static MllpListenerOptions with_name(MllpListenerOptions options) {
    options.channel = "elwick-adt";
    return options;
  }
  TcpPeer connect(int receive_buffer_bytes = 0) {
    return TcpPeer::connect(listener.port(), receive_buffer_bytes);
  }

  Inbox inbox;
  IoThread io;
  MllpListener listener;
};

TEST_CASE("a message over MLLP is handed over and its answer comes back in a frame") {
  Listening hub;
  TcpPeer peer = hub.connect();
  peer.send(framed("MSH|one"));
  CHECK(peer.receive_until("\r") == framed("ACK MSH|one"));
  CHECK(hub.inbox.messages() == std::vector<std::string>{"MSH|one"});
}

TEST_CASE("a message that comes byte by byte is one message") {
  Listening hub;
  TcpPeer peer = hub.connect();
  for (const char byte : framed("MSH|slow")) {
    peer.send(std::string_view(&byte, 1));
    ::usleep(500);
  }
  CHECK(peer.receive_until("\r") == framed("ACK MSH|slow"));
}

TEST_CASE("answers leave in the order of the messages, whatever order the hub finishes in") {
  Listening hub;
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  peer.send(framed("1") + framed("2") + framed("3"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 3; }));
  hub.inbox.answer_held(2);
  hub.inbox.answer_held(1);
  CHECK(peer.receive(1, 50).empty());
  hub.inbox.answer_held(0);
  const std::string expected = framed("ACK 1") + framed("ACK 2") + framed("ACK 3");
  CHECK(peer.receive(expected.size()) == expected);
}

TEST_CASE("a message may be answered by two frames or by none") {
  Listening hub;
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  peer.send(framed("none") + framed("two"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 2; }));
  hub.inbox.held()[0]({});
  hub.inbox.held()[1]({.busy = false, .messages = {{'C', 'A'}, {'A', 'A'}}, .results = {}});
  const std::string expected = framed("CA") + framed("AA");
  CHECK(peer.receive(expected.size()) == expected);
}

TEST_CASE("no more messages are taken in flight than the limit") {
  Listening hub({.in_flight_max = 4});
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  std::string many;
  for (int i = 0; i < 20; ++i) many += framed(std::to_string(i));
  peer.send(many);
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 4; }));
  ::usleep(50'000);
  CHECK(hub.inbox.held().size() == 4);
  for (std::size_t i = 0; i < 20; ++i) {
    REQUIRE(eventually([&] { return hub.inbox.held().size() > i; }));
    hub.inbox.answer_held(i);
  }
  std::string answers;
  for (int i = 0; i < 20; ++i) answers += framed("ACK " + std::to_string(i));
  CHECK(peer.receive(answers.size()) == answers);
}

TEST_CASE("while the hub is busy the message waits and nothing overtakes it") {
  Listening hub;
  hub.inbox.busy(3);
  TcpPeer peer = hub.connect();
  peer.send(framed("1") + framed("2"));
  const std::string expected = framed("ACK 1") + framed("ACK 2");
  CHECK(peer.receive(expected.size()) == expected);
  CHECK(hub.inbox.messages() == std::vector<std::string>{"1", "1", "1", "1", "2"});
  CHECK(hub.listener.counts().tried_again == 3);
}

TEST_CASE("a message without a receipt when the hub stops is left unanswered") {
  Listening hub({.stop_ms = 50});
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  peer.send(framed("1"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 1; }));
  hub.listener.stop();
  CHECK(peer.closed_by_peer());
  CHECK(peer.receive(1, 0).empty());
  CHECK(hub.listener.counts().unanswered == 1);
  hub.inbox.answer_held(0);  // too late, and harmless
}

TEST_CASE("a message under way is answered before the listener stops") {
  Listening hub;
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  peer.send(framed("1"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 1; }));
  std::thread stopping([&] { hub.listener.stop(); });
  ::usleep(20'000);
  hub.inbox.answer_held(0);
  stopping.join();
  CHECK(peer.receive_until("\r") == framed("ACK 1"));
  CHECK(peer.closed_by_peer());
}

TEST_CASE("what is busy when the listener stops stays with its sender") {
  Listening hub;
  hub.inbox.busy(1'000'000);
  TcpPeer peer = hub.connect();
  peer.send(framed("1") + framed("2"));
  REQUIRE(eventually([&] { return !hub.inbox.messages().empty(); }));
  hub.listener.stop();
  CHECK(peer.closed_by_peer());
  CHECK(peer.receive(1, 0).empty());
}

TEST_CASE("an oversize frame ends its connection and no other") {
  Listening hub({.frame_bytes_max = 1000});
  TcpPeer good = hub.connect();
  TcpPeer bad = hub.connect();
  bad.send(framed(std::string(5000, 'x')));
  CHECK(bad.closed_by_peer());
  good.send(framed("MSH|still here"));
  CHECK(good.receive_until("\r") == framed("ACK MSH|still here"));
  CHECK(hub.listener.counts().oversize == 1);
  CHECK(hub.inbox.messages().size() == 1);
}

TEST_CASE("garbage between frames is skipped and the connection lives on") {
  Listening hub;
  TcpPeer peer = hub.connect();
  peer.send("GET / HTTP/1.1\r\n\r\n" + framed("MSH|a") + "\n\n" + framed(""));
  CHECK(peer.receive_until("\r") == framed("ACK MSH|a"));
  peer.send(framed("MSH|b"));
  CHECK(peer.receive_until("\r") == framed("ACK MSH|b"));
}

TEST_CASE("a half frame at the end of the stream is dropped and counted") {
  Listening hub;
  {
    TcpPeer peer = hub.connect();
    peer.send(framed("MSH|whole") + "\x0BMSH|ha");
    CHECK(peer.receive_until("\r") == framed("ACK MSH|whole"));
  }
  CHECK(eventually([&] { return hub.listener.counts().half_frames == 1; }));
  CHECK(hub.inbox.messages().size() == 1);
}

TEST_CASE("a peer that has finished sending still gets its answer") {
  Listening hub;
  hub.inbox.hold();
  TcpPeer peer = hub.connect();
  peer.send(framed("1"));
  peer.finish_sending();
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 1; }));
  hub.inbox.answer_held(0);
  CHECK(peer.receive_until("\r") == framed("ACK 1"));
  CHECK(peer.closed_by_peer());
}

TEST_CASE("a peer that trickles a frame is cut off, however steadily it sends") {
  Listening hub({.frame_ms = 200});
  TcpPeer peer = hub.connect();
  peer.send("\x0B");
  CHECK(eventually([&] {
    ::usleep(20'000);
    return !peer.send("x");
  }));
  CHECK(hub.listener.counts().too_slow == 1);
}

TEST_CASE("a connection may be silent between frames for as long as it likes") {
  Listening hub({.frame_ms = 50});
  TcpPeer peer = hub.connect();
  ::usleep(300'000);
  peer.send(framed("MSH|late"));
  CHECK(peer.receive_until("\r") == framed("ACK MSH|late"));
}

TEST_CASE("a peer that never reads its answers is cut off and holds up nobody") {
  Listening hub({.frame_ms = 200});
  TcpPeer deaf = hub.connect(1);
  std::thread flood([&] {
    const std::string message = framed(std::string(20'000, 'm'));
    while (deaf.send(message)) {
    }
  });
  TcpPeer good = hub.connect();
  good.send(framed("MSH|good"));
  CHECK(good.receive_until("\r") == framed("ACK MSH|good"));
  CHECK(eventually([&] { return hub.listener.counts().too_slow == 1; }));
  flood.join();
}

TEST_CASE(
    "a thousand silent connections lock nobody out: the one that has been silent for longest makes room") {
  Listening hub({.connections_max = 3});
  hub.inbox.hold();
  TcpPeer busy = hub.connect();
  busy.send(framed("MSH|busy"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 1; }));
  TcpPeer half = hub.connect();
  half.send(framed("MSH|whole") + "\x0BMSH|ha");
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 2; }));
  hub.inbox.answer_held(1);
  CHECK(half.receive_until("\r") == framed("ACK MSH|whole"));
  TcpPeer silent = hub.connect();
  for (int number = 1; number < 20; ++number) {
    TcpPeer next = hub.connect();
    CHECK(silent.closed_by_peer());
    silent = std::move(next);
  }
  TcpPeer hospital = hub.connect();
  hospital.send(framed("MSH|admission"));
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 3; }));
  for (const std::size_t index : {0U, 2U}) hub.inbox.answer_held(index);
  CHECK(hospital.receive_until("\r") == framed("ACK MSH|admission"));
  CHECK(busy.receive_until("\r") == framed("ACK MSH|busy"));
  half.send("lf\x1C\r");
  REQUIRE(eventually([&] { return hub.inbox.held().size() == 4; }));
  hub.inbox.answer_held(3);
  CHECK(hub.listener.counts().made_room == 20);
  CHECK(hub.listener.counts().turned_away == 0);
}

TEST_CASE("connections over the limit are turned away and the place of one that leaves is free again") {
  Listening hub({.connections_max = 2});
  hub.inbox.hold();
  TcpPeer first = hub.connect();
  first.send(framed("MSH|1"));
  {
    TcpPeer second = hub.connect();
    second.send(framed("MSH|2"));
    REQUIRE(eventually([&] { return hub.inbox.held().size() == 2; }));
    TcpPeer third = hub.connect();
    CHECK(third.closed_by_peer());
    CHECK(hub.listener.counts().turned_away == 1);
  }
  hub.inbox.hold(false);
  for (const std::size_t index : {0U, 1U}) hub.inbox.answer_held(index);
  CHECK(eventually([&] {
    TcpPeer again = hub.connect();
    again.send(framed("MSH|3"));
    return again.receive_until("\r", 1000) == framed("ACK MSH|3");
  }));
}

TEST_CASE("a port that is taken is said in one line with address, port, channel and remedy") {
  Listening hub;
  MllpListener second(hub.io, {.channel = "fenbrook-adt", .port = hub.listener.port()});
  const auto started = second.start(hub.inbox.receive());
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::unavailable);
  CHECK(started.error().text ==
        "channel fenbrook-adt cannot listen on 127.0.0.1:" + std::to_string(hub.listener.port()) +
            ": Address already in use. Stop the program that has the port, or give the "
            "channel another");
}

TEST_CASE("fifty connections at once get every answer") {
  Listening hub;
  std::vector<std::thread> senders;
  std::atomic<int> right{0};
  for (int n = 0; n < 50; ++n) {
    senders.emplace_back([&hub, &right, n] {
      TcpPeer peer = hub.connect();
      std::string sent;
      std::string expected;
      for (int i = 0; i < 100; ++i) {
        const std::string message = "MSH|" + std::to_string(n) + "." + std::to_string(i);
        sent += framed(message);
        expected += framed("ACK " + message);
      }
      peer.send(sent);
      if (peer.receive(expected.size()) == expected) ++right;
    });
  }
  for (auto& sender : senders) sender.join();
  CHECK(right == 50);
}

TEST_CASE("all connections together hold no more than they may; what waits is read once there is room") {
  IoThread io;
  Inbox inbox;
  inbox.hold();
  MllpListener listener(io, {.channel = "elwick-adt", .memory_bytes_max = 10});
  REQUIRE(listener.start(inbox.receive()));
  TcpPeer first = TcpPeer::connect(listener.port());
  TcpPeer second = TcpPeer::connect(listener.port());
  second.send(framed("b"));
  REQUIRE(eventually([&] { return inbox.messages().size() == 1; }));
  first.send(framed("a message of over ten bytes"));
  REQUIRE(eventually([&] { return inbox.messages().size() == 2; }));
  // One read was under way already; what comes after it waits.
  second.send(framed("c"));
  REQUIRE(eventually([&] { return inbox.messages().size() == 3; }));
  second.send(framed("d"));
  ::usleep(50'000);
  CHECK(inbox.messages().size() == 3);
  inbox.answer_held(1);
  REQUIRE(eventually([&] { return inbox.messages().size() == 4; }));
  for (const std::size_t index : {0U, 2U, 3U}) inbox.answer_held(index);
  const std::string answers = framed("ACK b") + framed("ACK c") + framed("ACK d");
  CHECK(second.receive(answers.size()) == answers);
}

}  // namespace
}  // namespace carehub::adapters
