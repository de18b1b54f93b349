#include "broker/server/zmq_transport.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "tests/fakes/temporary_directory.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using namespace carehub::server;
using carehub::test::KeyPair;

namespace {

/// A DEALER with a routing id of the test's choice.
class Dealer {
 public:
  Dealer(void* context, const std::string& endpoint, const std::string& id, const KeyPair* keys = nullptr,
         const KeyPair* server = nullptr)
      : socket_(zmq_socket(context, ZMQ_DEALER)), monitor_(zmq_socket(context, ZMQ_PAIR)) {
    const int none = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(monitor_, ZMQ_LINGER, &none, sizeof none);
    const std::string events = "inproc://dealer-" + std::to_string(reinterpret_cast<std::uintptr_t>(socket_));
    if (zmq_socket_monitor(socket_, events.c_str(), ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0 ||
        zmq_connect(monitor_, events.c_str()) != 0) {
      throw std::runtime_error("cannot watch the socket");
    }
    if (!id.empty()) zmq_setsockopt(socket_, ZMQ_ROUTING_ID, id.data(), id.size());
    if (keys != nullptr) {
      zmq_setsockopt(socket_, ZMQ_CURVE_SERVERKEY, server->public_key.data(), 40);
      zmq_setsockopt(socket_, ZMQ_CURVE_PUBLICKEY, keys->public_key.data(), 40);
      zmq_setsockopt(socket_, ZMQ_CURVE_SECRETKEY, keys->secret_key.data(), 40);
    }
    if (zmq_connect(socket_, endpoint.c_str()) != 0) throw std::runtime_error("cannot connect");
  }
  ~Dealer() {
    zmq_socket_monitor(socket_, nullptr, 0);
    zmq_close(monitor_);
    zmq_close(socket_);
  }
  Dealer(const Dealer&) = delete;
  Dealer& operator=(const Dealer&) = delete;

  /// Waits until the hub has let it in, for which its keys are to be answered.
  bool let_in(Authenticator& authenticator) {
    for (int tries = 0; tries < 3'000; ++tries) {
      authenticator.answer();
      zmq_pollitem_t item{monitor_, 0, ZMQ_POLLIN, 0};
      if (zmq_poll(&item, 1, 10) > 0) return true;
    }
    return false;
  }
  void say(const std::string& text, int flags = 0) { zmq_send(socket_, text.data(), text.size(), flags); }
  /// What comes within a moment; empty when nothing does.
  std::string hear(int within_ms) {
    zmq_pollitem_t item{socket_, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, within_ms) <= 0) return {};
    std::array<char, 256> text{};
    const int size = zmq_recv(socket_, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(size)};
  }

 private:
  void* socket_;
  void* monitor_;
};

struct Network {
  Network() {
    auto opened = Authenticator::open(
        context, {{anna.public_text(), "anna-agency", "a"}, {bert.public_text(), "bert-agency", "b"}});
    REQUIRE(opened);
    authenticator = std::move(*opened);
    auto bound = ZmqTransport::open(
        {context, {"inproc://here", ipc, "tcp://127.0.0.1:*"}, server.secret_text(), authenticator.get()});
    if (!bound) FAIL(bound.error().text);
    transport = std::move(*bound);
  }
  ~Network() {
    transport.reset();
    authenticator.reset();
    zmq_ctx_term(context);
  }

  /// The next frame or loss within two minutes.
  Received next() {
    for (int each = 0; each < 12'000; ++each) {
      transport->wait(10, true);
      std::vector<Received> received;
      transport->receive(received, 1, 1'000'000);
      for (auto& one : received) inbox.push_back(std::move(one));
      if (inbox.empty()) continue;
      Received first = std::move(inbox.front());
      inbox.pop_front();
      return first;
    }
    throw std::runtime_error("nothing came");
  }
  bool silent(int for_ms) {
    for (int each = 0; each < for_ms / 10; ++each) {
      transport->wait(10, true);
      std::vector<Received> received;
      transport->receive(received, 10, 1'000'000);
      if (!received.empty()) return false;
    }
    return inbox.empty();
  }
  std::string tcp() const { return transport->endpoints().back(); }

  void* context = zmq_ctx_new();
  KeyPair server, anna, bert;
  fakes::TemporaryDirectory directory;
  std::string ipc = "ipc://" + (directory.path() / "s").string();
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<ZmqTransport> transport;
  std::deque<Received> inbox;
};

const std::string kId(32, 'i');

}  // namespace

TEST_CASE("a frame says who sent it: the key's owner over TCP, somebody local otherwise") {
  Network net;
  Dealer tcp(net.context, net.tcp(), std::string(32, 't'), &net.anna, &net.server);
  tcp.say("one");
  auto received = net.next();
  CHECK_FALSE(received.is_local);
  CHECK(received.agency == "anna-agency");
  CHECK(received.client == "a");
  CHECK(text_of(received.bytes) == "one");
  for (const std::string& endpoint : {std::string("inproc://here"), net.ipc}) {
    Dealer local(net.context, endpoint, std::string(32, endpoint.back()));
    local.say("two");
    received = net.next();
    CHECK(received.is_local);
    CHECK(received.agency.empty());
    CHECK(net.transport->send(received.connection, bytes_of("answer")) == Transport::Sent::sent);
    CHECK(local.hear(60'000) == "answer");
  }
}

TEST_CASE("routing ids that are not 32 bytes of the client's making are refused") {
  Network net;
  for (const std::string& id : {std::string(), std::string("short"), std::string(33, 'x')}) {
    Dealer dealer(net.context, net.ipc, id);
    dealer.say("hello");
    const auto refused = net.transport->unaddressed() + 1;
    bool silent = true;
    for (int tries = 0; tries < 600 && net.transport->unaddressed() < refused; ++tries) {
      silent = net.silent(100) && silent;
    }
    CHECK(silent);
    CHECK(net.transport->unaddressed() == refused);
  }
}

TEST_CASE("a message in several parts is dropped whole") {
  Network net;
  Dealer dealer(net.context, net.ipc, kId);
  dealer.say("a", ZMQ_SNDMORE);
  dealer.say("b", ZMQ_SNDMORE);
  dealer.say("c");
  dealer.say("whole");
  CHECK(text_of(net.next().bytes) == "whole");
  CHECK(net.transport->unaddressed() == 1);
}

TEST_CASE("a frame over the limit ends its connection before it is stored") {
  Network net;
  Dealer dealer(net.context, net.ipc, kId);
  dealer.say("fine");
  const auto connection = net.next().connection;
  dealer.say(std::string(limits::kFrameBytesMax + 1, 'x'));
  const auto after = net.next();
  CHECK(after.gone);
  CHECK(after.connection == connection);
}

TEST_CASE("who takes another's routing id after it has gone gets nothing of it") {
  Network net;
  ConnectionId connection = 0;
  {
    Dealer anna(net.context, net.tcp(), kId, &net.anna, &net.server);
    anna.say("hello");
    connection = net.next().connection;
  }
  // ZeroMQ closes a socket in its own time.
  REQUIRE(test::eventually(
      [&] { return net.transport->send(connection, bytes_of("for Anna alone")) == Transport::Sent::gone; }));
  {
    Dealer bert(net.context, net.tcp(), kId, &net.bert, &net.server);
    // Bert is connected under the id, and has not said a word, when the hub has something for Anna.
    REQUIRE(bert.let_in(*net.authenticator));
    CHECK(net.transport->send(connection, bytes_of("for Anna alone")) == Transport::Sent::gone);
    CHECK(bert.hear(200).empty());
    CHECK(net.next().gone);
  }
  // Later the id serves whoever has it, as the stranger that he is.
  Dealer bert(net.context, net.tcp(), kId, &net.bert, &net.server);
  bert.say("hello");
  const auto received = net.next();
  CHECK(received.connection != connection);
  CHECK(received.agency == "bert-agency");
  CHECK(net.transport->send(connection, bytes_of("for Anna alone")) == Transport::Sent::gone);
  CHECK(bert.hear(200).empty());
}

TEST_CASE("a routing id that is in use cannot be taken") {
  Network net;
  Dealer anna(net.context, net.tcp(), kId, &net.anna, &net.server);
  anna.say("hello");
  const auto connection = net.next().connection;
  Dealer bert(net.context, net.tcp(), kId, &net.bert, &net.server);
  bert.say("hello");
  CHECK(net.silent(500));
  CHECK(net.transport->send(connection, bytes_of("for Anna alone")) == Transport::Sent::sent);
  CHECK(anna.hear(60'000) == "for Anna alone");
  CHECK(bert.hear(200).empty());
}

TEST_CASE("keys that are not on the list are refused, and one that is taken off ends its connections") {
  Network net;
  const KeyPair stranger;
  Dealer unknown(net.context, net.tcp(), std::string(32, 'u'), &stranger, &net.server);
  unknown.say("hello");
  bool silent = true;
  for (int tries = 0; tries < 600 && net.authenticator->refused() < 1; ++tries)
    silent = net.silent(100) && silent;
  CHECK(silent);
  CHECK(net.authenticator->refused() >= 1);
  Dealer anna(net.context, net.tcp(), kId, &net.anna, &net.server);
  anna.say("hello");
  const auto connection = net.next().connection;
  REQUIRE(net.authenticator->allow({{net.bert.public_text(), "bert-agency", "b"}}));
  net.transport->check_keys();
  const auto gone = net.next();
  CHECK(gone.gone);
  CHECK(gone.connection == connection);
  anna.say("still here?");
  // A connection that is open stays encrypted and open to ZeroMQ; what it says is under a key without an
  // owner.
  CHECK(net.silent(200));
}

TEST_CASE("of two keys of one client the one that is taken off ends its connection, and the other goes on") {
  Network net;
  const KeyPair next;
  const AllowedKey old_key{net.anna.public_text(), "anna-agency", "a"};
  const AllowedKey new_key{next.public_text(), "anna-agency", "a"};
  REQUIRE(net.authenticator->allow({old_key, new_key}));
  Dealer before(net.context, net.tcp(), kId, &net.anna, &net.server);
  before.say("hello");
  const auto connection = net.next().connection;
  Dealer after(net.context, net.tcp(), std::string(32, 'n'), &next, &net.server);
  after.say("hello");
  const auto greeted = net.next();
  CHECK(greeted.agency == "anna-agency");
  CHECK(greeted.client == "a");
  REQUIRE(net.authenticator->allow({new_key}));
  net.transport->check_keys();
  const auto gone = net.next();
  CHECK(gone.gone);
  CHECK(gone.connection == connection);
  after.say("still here");
  const auto heard = net.next();
  CHECK(heard.connection == greeted.connection);
  CHECK(text_of(heard.bytes) == "still here");
}

TEST_CASE("one key that opens connections without end is refused the rest, and nobody else is") {
  Network net;
  std::vector<std::unique_ptr<Dealer>> many;
  constexpr std::size_t kMany = ZmqTransport::kConnectionsPerKeyMax + 8;
  std::set<ConnectionId> taken;
  for (std::size_t each = 0; each < kMany; ++each) {
    std::string id(32, 'm');
    id.back() = static_cast<char>(each + 1);
    many.push_back(std::make_unique<Dealer>(net.context, net.tcp(), id, &net.anna, &net.server));
    many.back()->say("hello");
  }
  REQUIRE(test::eventually([&] {
    net.transport->wait(10, true);
    std::vector<Received> received;
    net.transport->receive(received, 100, 1'000'000);
    for (const Received& each : received) taken.insert(each.connection);
    return net.transport->beyond_limit() >= 8;
  }));
  CHECK(taken.size() == ZmqTransport::kConnectionsPerKeyMax);

  Dealer bert(net.context, net.tcp(), std::string(32, 'b'), &net.bert, &net.server);
  bert.say("from Bert");
  CHECK(text_of(net.next().bytes) == "from Bert");
  Dealer local(net.context, net.ipc, std::string(32, 'l'));
  local.say("from here");
  CHECK(text_of(net.next().bytes) == "from here");

  many.clear();  // whoever closes what it opened may open again
  REQUIRE(test::eventually([&] {
    net.transport->wait(10, true);
    std::vector<Received> received;
    net.transport->receive(received, 100, 1'000'000);
    for (const Received& each : received) {
      if (each.gone) taken.erase(each.connection);
    }
    return taken.empty();
  }));
  Dealer again(net.context, net.tcp(), kId, &net.anna, &net.server);
  again.say("again");
  CHECK(text_of(net.next().bytes) == "again");
}

TEST_CASE("TCP without keys is not bound") {
  void* context = zmq_ctx_new();
  const auto bound = ZmqTransport::open({context, {"tcp://127.0.0.1:*"}, "", nullptr});
  REQUIRE_FALSE(bound);
  CHECK(bound.error().kind == ErrorKind::invalid);
  zmq_ctx_term(context);
}

TEST_CASE("a socket file that was left behind is replaced, and one that is no socket is not touched") {
  const fakes::TemporaryDirectory directory;
  void* context = zmq_ctx_new();
  const auto path = (directory.path() / "s").string();
  const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
  CHECK(ZmqTransport::open({context, {"ipc://" + path}, "", nullptr}));
  CHECK_FALSE(std::filesystem::exists(path));

  std::ofstream(path) << "a file of somebody's";
  const auto refused = ZmqTransport::open({context, {"ipc://" + path}, "", nullptr});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::unavailable);
  CHECK(std::filesystem::exists(path));
  zmq_ctx_term(context);
}
