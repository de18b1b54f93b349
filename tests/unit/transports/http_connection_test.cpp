#include "adapters/transports/http_connection.hpp"

#include <catch2/catch.hpp>

#include "adapters/transports/io_context.hpp"
#include "adapters/transports/listening_socket.hpp"
#include "tests/fakes/awaited.hpp"
#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::TcpPeer;
using Reply = std::function<void(TransportReply)>;

std::string post(const std::string& content_type, const std::string& more = {}) {
  return "POST /events HTTP/1.1\r\nHost: hub\r\nContent-Type: " + content_type + "\r\n" + more +
         "Content-Length: 2\r\n\r\n{}";
}

const TransportReply kStored{.busy = false,
                             .messages = {{'o', 'k'}},
                             .results = {client::Receipt{.sequence = 7, .appended_at = {}, .marks = {}}}};

/// One connection without its listener and without a token, and the peer at its other end.
struct Connected {
  explicit Connected(bool answers = true) {
    service->options.path = "/events";
    service->receive = [this, answers](const Bytes&, Arrival arrival, const Reply& reply) {
      arrivals.give(std::move(arrival));
      asked.give(reply);
      if (answers) reply(kStored);
    };
    auto listening = listen_on(io.impl().context, "council-api", "127.0.0.1", 0);
    REQUIRE(listening);
    peer.emplace(TcpPeer::connect(listening->local_endpoint().port()));
    connection = std::make_shared<HttpConnection>(listening->accept(), service);
    io.run([this] { connection->start(); });
  }
  ~Connected() {
    io.run([this] { connection->close(); });
    io.run([this] { connection.reset(); });
  }
  void finish() {
    io.run([this] { connection->finish(); });
  }
  std::string status() { return peer->receive_until("\r\n").substr(9, 3); }

  IoThread io;
  fakes::Awaited<Reply> asked;
  fakes::Awaited<Arrival> arrivals;
  std::shared_ptr<HttpService> service = std::make_shared<HttpService>();
  std::optional<TcpPeer> peer;
  std::shared_ptr<HttpConnection> connection;
};

TEST_CASE("JSON is taken by any of its names, with parameters and in any case") {
  Connected hub;
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8",
                           "application/cloudevents+json ; charset=utf-8"}) {
    INFO(type);
    hub.peer->send(post(type));
    CHECK(hub.status() == "200");
    CHECK(hub.peer->receive_until("ok").ends_with("\r\n\r\nok"));
  }
  CHECK(hub.arrivals.count() == 3);
}

TEST_CASE("a body that only looks like JSON by its name is not taken") {
  for (const char* type : {"text/json", "application/jsonx", "image/svg+json", ""}) {
    Connected hub;
    INFO(type);
    hub.peer->send(post(type));
    CHECK(hub.status() == "415");
    CHECK(hub.peer->closed_by_peer());
    CHECK(hub.arrivals.count() == 0);
  }
}

TEST_CASE("a query after the path is left alone, and headers come in lower case without the credential") {
  Connected hub;
  std::string request = post("application/json", "X-Trace: AbC\r\nAuthorization: Bearer secret\r\n");
  request.replace(request.find("/events"), 7, "/events?retry=1");
  hub.peer->send(request);
  CHECK(hub.status() == "200");
  const Arrival arrival = hub.arrivals.get();
  CHECK(arrival.source == "/events");
  CHECK(arrival.headers.at("x-trace") == "AbC");
  CHECK(arrival.headers.count("authorization") == 0);
}

TEST_CASE("told to finish, an idle connection closes at once") {
  Connected hub;
  hub.finish();
  CHECK(hub.peer->closed_by_peer());
}

TEST_CASE("told to finish, a request under way is answered first, and the client told that it is the last") {
  Connected hub(false);
  hub.peer->send(post("application/json"));
  const Reply reply = hub.asked.get();
  hub.finish();
  reply(kStored);
  const std::string response = hub.peer->receive_until("ok");
  CHECK(response.find(" 200 ") != std::string::npos);
  CHECK(response.find("Connection: close") != std::string::npos);
  CHECK(hub.peer->closed_by_peer());
}

TEST_CASE("closed at once, an answer that comes late reaches nobody and does no harm") {
  Connected hub(false);
  hub.peer->send(post("application/json"));
  const Reply reply = hub.asked.get();
  hub.io.run([&] { hub.connection->close(); });
  reply(kStored);
  CHECK(hub.peer->closed_by_peer());
}

TEST_CASE("half a request is nobody's: its sender has gone and the hub is not asked") {
  Connected hub;
  hub.peer->send(
      "POST /events HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"a\"");
  hub.peer->finish_sending();
  CHECK(hub.peer->closed_by_peer());
  CHECK(hub.arrivals.count() == 0);
}

}  // namespace
}  // namespace carehub::adapters
