#include "adapters/transports/mllp_connection.hpp"

#include <catch2/catch.hpp>

#include "adapters/transports/io_context.hpp"
#include "adapters/transports/listening_socket.hpp"
#include "tests/fakes/awaited.hpp"
#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::TcpPeer;
using Reply = std::function<void(TransportReply)>;

std::string framed(const std::string& message) { return "\x0B" + message + "\x1C\r"; }

TransportReply answer(const std::string& text) {
  return {.busy = false, .messages = {Bytes(text.begin(), text.end())}, .results = {}};
}

/// One connection without its listener, and the peer at its other end.
struct Connected {
  explicit Connected(MllpListenerOptions options = {}) {
    service->options = std::move(options);
    service->options.channel = "elwick-adt";
    service->receive = [this](const Bytes&, const Arrival&, Reply reply) { asked.give(std::move(reply)); };
    auto listening = listen_on(io.impl().context, "elwick-adt", "127.0.0.1", 0);
    REQUIRE(listening);
    peer.emplace(TcpPeer::connect(listening->local_endpoint().port()));
    connection = std::make_shared<MllpConnection>(listening->accept(), service);
    io.run([this] { connection->start(); });
  }
  ~Connected() {
    io.run([this] { connection->close(); });
    io.run([this] { connection.reset(); });
  }
  bool open() {
    bool is = false;
    io.run([&] { is = connection->open(); });
    return is;
  }
  MllpCounts counts() {
    MllpCounts now;
    io.run([&] { now = service->counts; });
    return now;
  }

  IoThread io;
  fakes::Awaited<Reply> asked;
  std::shared_ptr<MllpService> service = std::make_shared<MllpService>();
  std::optional<TcpPeer> peer;
  std::shared_ptr<MllpConnection> connection;
};

TEST_CASE("told to finish, a connection answers what it has taken, takes no more, and closes") {
  Connected hub;
  hub.peer->send(framed("1"));
  const Reply reply = hub.asked.get();
  hub.io.run([&] { hub.connection->finish(); });
  hub.peer->send(framed("2"));
  reply(answer("ACK 1"));
  CHECK(hub.peer->receive_until("\r") == framed("ACK 1"));
  CHECK(hub.peer->closed_by_peer());
  CHECK(hub.counts().messages == 1);
  // Linux hands over what arrives after the end of reading: it may have been seen, and was not taken.
  CHECK(hub.counts().unanswered <= 1);
}

TEST_CASE("closed at once, a connection counts what it leaves unanswered, and a late answer does no harm") {
  Connected hub;
  hub.peer->send(framed("1") + framed("2"));
  const Reply late = hub.asked.get(1);
  hub.io.run([&] { hub.connection->close(); });
  CHECK(hub.counts().unanswered == 2);
  late(answer("ACK 2"));
  CHECK(hub.peer->closed_by_peer());
  CHECK(hub.peer->receive(1, 0).empty());
}

TEST_CASE("time runs for a frame that has begun, not for a silent connection or for the hub") {
  using std::chrono::hours;
  Connected hub;
  const auto check_much_later = [&] {
    hub.io.run([&] { hub.connection->check(MllpConnection::Clock::now() + hours(24)); });
  };
  check_much_later();
  CHECK(hub.open());
  hub.peer->send(framed("1"));
  (void)hub.asked.get();
  check_much_later();
  CHECK(hub.open());
  hub.peer->send("\x0BMSH|ha");
  CHECK(eventually([&] {
    check_much_later();
    return !hub.open();
  }));
  CHECK(hub.counts().too_slow == 1);
  CHECK(hub.counts().unanswered == 1);
}

TEST_CASE("messages in flight are bounded by their bytes, but the largest goes through alone") {
  Connected hub({.in_flight_bytes_max = 100});
  const std::string large(150, 'x');
  hub.peer->send(framed(large) + framed("small"));
  hub.asked.get(0)(answer("ACK large"));
  hub.asked.get(1)(answer("ACK small"));
  const std::string both = framed("ACK large") + framed("ACK small");
  CHECK(hub.peer->receive(both.size()) == both);
}

TEST_CASE("a connection is idle between messages, not inside a frame or while an answer is due") {
  Connected hub;
  const auto idle = [&] {
    bool is = false;
    hub.io.run([&] { is = hub.connection->idle_since().has_value(); });
    return is;
  };
  CHECK(idle());
  hub.peer->send("\x0BMSH|ha");
  CHECK(eventually([&] { return !idle(); }));
  hub.peer->send("lf\x1C\r");
  const Reply reply = hub.asked.get();
  CHECK_FALSE(idle());
  reply(answer("ACK"));
  CHECK(hub.peer->receive_until("\r") == framed("ACK"));
  CHECK(eventually(idle));
  hub.io.run([&] { hub.connection->close(); });
  CHECK_FALSE(idle());
}

}  // namespace
}  // namespace carehub::adapters
