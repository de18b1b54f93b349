#include "adapters/transports/http_listener.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::TcpPeer;
using Reply = std::function<void(TransportReply)>;

const std::string kAuthorization = "Authorization: Bearer correct-horse\r\n";
const std::string kJson = "Content-Type: application/json\r\n";

std::string post(const std::string& body, const std::string& headers = kAuthorization + kJson,
                 const std::string& path = "/events") {
  return "POST " + path + " HTTP/1.1\r\nHost: hub\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Listening {
  explicit Listening(HttpListenerOptions options = {}) : listener(io, completed(std::move(options))) {
    REQUIRE(listener.start([this](Bytes message, Arrival arrival, Reply reply) {
      const std::lock_guard lock(mutex);
      bodies.emplace_back(text_of(message));
      arrivals.push_back(std::move(arrival));
      if (hold) {
        held.push_back(std::move(reply));
      } else {
        reply(outcome);
      }
    }));
  }
  static HttpListenerOptions completed(HttpListenerOptions options) {
    options.channel = "council-api";
    options.path = "/events";
    options.tokens = {*http_token("correct-horse"), *http_token("an-old-horse", "2020-01-31")};
    return options;
  }
  TcpPeer connect() { return TcpPeer::connect(listener.port()); }
  /// The whole answer to one request on a connection of its own.
  std::string ask(const std::string& request, const char* from = "127.0.0.1") {
    TcpPeer peer = TcpPeer::connect(listener.port(), 0, from);
    peer.send(request);
    peer.finish_sending();
    return peer.receive_until("no such bytes");
  }
  std::size_t received() {
    const std::lock_guard lock(mutex);
    return bodies.size();
  }
  void answer_held(std::size_t index) {
    const std::lock_guard lock(mutex);
    held.at(index)(outcome);
  }

  std::mutex mutex;
  std::vector<std::string> bodies;
  std::vector<Arrival> arrivals;
  std::vector<Reply> held;
  std::atomic<bool> hold{false};
  TransportReply outcome{.busy = false,
                         .messages = {{'{', '}'}},
                         .results = {client::Receipt{.sequence = 7, .appended_at = {}, .marks = {}}}};
  IoThread io;
  HttpListener listener;
};

std::string status_of(const std::string& response) {
  return response.substr(0, response.find("\r\n")).substr(9);
}

TEST_CASE("an event that is posted is handed over and its answer comes back") {
  Listening hub;
  const std::string response = hub.ask(post(R"({"a":1})", kAuthorization + kJson + "X-Request-Id: 42\r\n"));
  CHECK(status_of(response) == "200 OK");
  CHECK(response.ends_with("\r\n\r\n{}"));
  REQUIRE(hub.received() == 1);
  CHECK(hub.bodies[0] == R"({"a":1})");
  CHECK(hub.arrivals[0].headers.at("x-request-id") == "42");
  CHECK(hub.arrivals[0].headers.count("authorization") == 0);
}

TEST_CASE("several requests are served on one connection") {
  Listening hub;
  TcpPeer peer = hub.connect();
  for (int i = 0; i < 3; ++i) {
    peer.send(post("{}"));
    CHECK(status_of(peer.receive_until("\r\n\r\n{}")) == "200 OK");
  }
  peer.send("GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
  CHECK(status_of(peer.receive_until("}\n")) == "200 OK");
  peer.send(post("{}"));
  CHECK(status_of(peer.receive_until("\r\n\r\n{}")) == "200 OK");
  CHECK(hub.received() == 4);
}

TEST_CASE("a token that is taken off is refused at the next request, on a connection that it opened") {
  Listening hub;
  TcpPeer peer = hub.connect();
  peer.send(post("{}"));
  CHECK(status_of(peer.receive_until("\r\n\r\n{}")) == "200 OK");
  hub.listener.allow({*http_token("a-new-battery")});
  CHECK(status_of(hub.ask(post("{}", "Authorization: Bearer a-new-battery\r\n" + kJson))) == "200 OK");
  peer.send(post("{}"));
  CHECK(status_of(peer.receive_until("\r\n\r\n")) == "401 Unauthorized");
  CHECK(hub.received() == 2);
  CHECK(hub.listener.unauthorised() == 1);
}

TEST_CASE("a stolen token is of no use from another agency's address, and whoever tries is counted apart") {
  Listening hub;
  const auto networks = Networks::make({"127.0.0.2/31", "2001:db8::/32"});
  REQUIRE(networks);
  hub.listener.allow({*http_token("correct-horse", {}, *networks)});
  CHECK(status_of(hub.ask(post("{}"), "127.0.0.2")) == "200 OK");
  CHECK(status_of(hub.ask(post("{}"), "127.0.0.3")) == "200 OK");
  // Whoever has it is told no more than who guesses.
  const std::string stolen = hub.ask(post("{}"), "127.0.0.4");
  const std::string guessed = hub.ask(post("{}", "Authorization: Bearer guessed\r\n" + kJson), "127.0.0.4");
  CHECK(status_of(stolen) == "401 Unauthorized");
  const auto body_of = [](const std::string& answer) { return answer.substr(answer.find("\r\n\r\n")); };
  CHECK(body_of(stolen) == body_of(guessed));
  // What somebody says of himself is not where he is.
  CHECK(status_of(hub.ask(post("{}", kAuthorization + kJson + "X-Forwarded-For: 127.0.0.2\r\n"),
                          "127.0.0.4")) == "401 Unauthorized");
  CHECK(hub.received() == 2);
  CHECK(hub.listener.unauthorised() == 3);
  TurnedAwayCounts counts;
  hub.io.run([&] { counts = hub.listener.turned_away(); });
  CHECK(counts[wire::TurnedAway::token_elsewhere] == 2);
  CHECK(counts[wire::TurnedAway::unknown_token] == 1);
}

TEST_CASE("a request that comes byte by byte, or in chunks, is one message") {
  Listening hub;
  TcpPeer slow = hub.connect();
  for (const char byte : post(R"({"slow":true})")) slow.send(std::string_view(&byte, 1));
  CHECK(status_of(slow.receive_until("{}")) == "200 OK");
  const std::string chunked =
      hub.ask("POST /events HTTP/1.1\r\nHost: hub\r\n" + kAuthorization + kJson +
              "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
  CHECK(status_of(chunked) == "200 OK");
  CHECK(hub.bodies == std::vector<std::string>{R"({"slow":true})", R"({"a":1})"});
}

TEST_CASE("a client that waits to be told to go on is told") {
  Listening hub;
  TcpPeer peer = hub.connect();
  peer.send("POST /events HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" +
            kAuthorization + kJson + "\r\n");
  CHECK(status_of(peer.receive_until("\r\n\r\n")) == "100 Continue");
  peer.send("{}");
  CHECK(status_of(peer.receive_until("{}")) == "200 OK");
}

TEST_CASE("what is not a well-addressed, authorised post of JSON never reaches the hub") {
  Listening hub({.body_bytes_max = 100, .header_bytes_max = 1000});
  const std::string head = "POST /events HTTP/1.1\r\nHost: hub\r\n";
  struct Case {
    std::string request;
    std::string status;
  };
  const std::vector<Case> cases{
      {post("{}", kJson), "401 Unauthorized"},
      {post("{}", "Authorization: Bearer wrong\r\n" + kJson), "401 Unauthorized"},
      {post("{}", "Authorization: Bearer correct-hors\r\n" + kJson), "401 Unauthorized"},
      {post("{}", "Authorization: Bearer an-old-horse\r\n" + kJson), "401 Unauthorized"},
      {post("{}", "Authorization: Basic correct-horse\r\n" + kJson), "401 Unauthorized"},
      {post("{}", kAuthorization + kJson, "/other"), "404 Not Found"},
      {post("{}", kAuthorization + kJson, "/events/../events"), "404 Not Found"},
      {"GET /events HTTP/1.1\r\nHost: hub\r\n\r\n", "405 Method Not Allowed"},
      {"DELETE /healthz HTTP/1.1\r\nHost: hub\r\n\r\n", "404 Not Found"},
      {post("{}", kAuthorization + "Content-Type: text/xml\r\n"), "415 Unsupported Media Type"},
      {post("{}", kAuthorization), "415 Unsupported Media Type"},
      {head + kAuthorization + kJson + "\r\n", "411 Length Required"},
      {post(std::string(101, 'x')), "413 Payload Too Large"},
      {head + kAuthorization + kJson + "Transfer-Encoding: chunked\r\n\r\n70\r\n" + std::string(0x70, 'x'),
       "413 Payload Too Large"},
      {post("{}", kAuthorization + kJson + "X-Long: " + std::string(2000, 'x') + "\r\n"),
       "431 Request Header Fields Too Large"},
      {"\x16\x03\x01 this is TLS\r\n\r\n", "400 Bad Request"},
      {"POST /events HTTP/1.1\r\nHost hub\r\n\r\n", "400 Bad Request"},
  };
  for (const Case& example : cases) {
    INFO(example.request.substr(0, 120));
    CHECK(status_of(hub.ask(example.request)) == example.status);
  }
  CHECK(hub.listener.unauthorised() == 5);
  CHECK(hub.received() == 0);
}

TEST_CASE("a request that two readers could read in two ways is refused and ends the connection") {
  Listening hub;
  const std::string head = "POST /events HTTP/1.1\r\nHost: hub\r\n" + kAuthorization + kJson;
  const std::string hidden = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n";
  for (const std::string& smuggled :
       {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden,
        head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + hidden,
        head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n" + hidden,
        head + "Content-Length: -1\r\n\r\n" + hidden, head + "Content-Length: 4 \x0B\r\n\r\n" + hidden}) {
    const std::string response = hub.ask(smuggled);
    INFO(smuggled);
    CHECK(status_of(response) == "400 Bad Request");
    CHECK(response.find("\"ok\"") == std::string::npos);
  }
  CHECK(hub.received() == 0);
}

TEST_CASE("a busy hub answers 503 and says when to come back") {
  Listening hub;
  hub.outcome = {.busy = true, .messages = {}, .results = {}};
  const std::string response = hub.ask(post("{}"));
  CHECK(status_of(response) == "503 Service Unavailable");
  CHECK(response.find("Retry-After: 1\r\n") != std::string::npos);
}

TEST_CASE("a hub that does not answer in time gives 503, and its late answer reaches nobody else") {
  Listening hub({.timeout_ms = 4'000});
  hub.hold = true;
  TcpPeer peer = hub.connect();
  peer.send(post(R"({"first":1})"));
  CHECK(status_of(peer.receive_until("same again\"}\n")) == "503 Service Unavailable");
  peer.send(post(R"({"second":1})"));
  REQUIRE(eventually([&] { return hub.received() == 2; }));
  hub.answer_held(0);
  CHECK(peer.receive(1, 50).empty());
  hub.answer_held(1);
  CHECK(status_of(peer.receive_until("{}")) == "200 OK");
}

TEST_CASE("a client that sends its request too slowly is cut off") {
  Listening hub({.timeout_ms = 150});
  TcpPeer peer = hub.connect();
  CHECK(eventually([&] {
    ::usleep(20'000);
    return !peer.send("POST /events HTTP/1.1\r\nX: ");
  }));
}

TEST_CASE("connections over the limit are closed, and the log has why") {
  const fakes::CapturedLog log;
  Listening hub({.connections_max = 1});
  hub.hold = true;
  TcpPeer first = hub.connect();
  first.send(post("{}"));
  REQUIRE(eventually([&] { return hub.received() == 1; }));
  TcpPeer second = hub.connect();
  CHECK(second.closed_by_peer());
  CHECK(log.has("too many connections: this one is turned away"));
  hub.answer_held(0);
}

TEST_CASE("of too many connections the one that has been silent for longest makes room") {
  const fakes::CapturedLog log;
  Listening hub({.connections_max = 2});
  hub.hold = true;
  TcpPeer busy = hub.connect();
  busy.send(post("{}"));
  REQUIRE(eventually([&] { return hub.received() == 1; }));
  TcpPeer idle = hub.connect();
  TcpPeer next = hub.connect();
  CHECK(idle.closed_by_peer());
  next.send(post("{}"));
  REQUIRE(eventually([&] { return hub.received() == 2; }));
  TcpPeer none = hub.connect();
  CHECK(none.closed_by_peer());
  hub.answer_held(0);
  hub.answer_held(1);
  CHECK(status_of(busy.receive_until("{}")) == "200 OK");
  CHECK(log.has("channel=council-api peer=127.0.0.1:"));
}

TEST_CASE("a request that does not end makes room, in its header as in its body") {
  Listening hub({.connections_max = 3});
  hub.hold = true;
  TcpPeer busy = hub.connect();
  busy.send(post("{}"));
  REQUIRE(eventually([&] { return hub.received() == 1; }));
  TcpPeer header = hub.connect();
  header.send("POST /events HTTP/1.1\r\nX-Sl");
  TcpPeer body = hub.connect();
  body.send("POST /events HTTP/1.1\r\nHost: hub\r\n" + kAuthorization + kJson +
            "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n{");
  REQUIRE(body.receive_until("\r\n\r\n").starts_with("HTTP/1.1 100"));
  std::vector<TcpPeer> others;
  for (TcpPeer* slow : {&header, &body}) {
    others.push_back(hub.connect());
    CHECK(slow->closed_by_peer());
    others.back().send(post("{}"));
  }
  REQUIRE(eventually([&] { return hub.received() == 3; }));
  for (std::size_t index = 0; index < 3; ++index) hub.answer_held(index);
  CHECK(status_of(busy.receive_until("{}")) == "200 OK");
  for (TcpPeer& other : others) CHECK(status_of(other.receive_until("{}")) == "200 OK");
}

TEST_CASE("bodies over the bound of all connections together are answered 503, and the others go on") {
  Listening hub({.memory_bytes_max = 100});
  hub.hold = true;
  TcpPeer first = hub.connect();
  first.send(post(std::string(60, 'a')));
  REQUIRE(eventually([&] { return hub.received() == 1; }));
  const std::string turned_away = hub.ask(post(std::string(60, 'b')));
  CHECK(status_of(turned_away) == "503 Service Unavailable");
  CHECK(turned_away.find("Retry-After: 1\r\n") != std::string::npos);
  hub.answer_held(0);
  CHECK(status_of(first.receive_until("{}")) == "200 OK");
  hub.hold = false;
  CHECK(status_of(hub.ask(post(std::string(60, 'b')))) == "200 OK");
}

TEST_CASE("a request under way is answered before the listener stops") {
  Listening hub;
  hub.hold = true;
  TcpPeer idle = hub.connect();
  TcpPeer peer = hub.connect();
  peer.send(post("{}"));
  REQUIRE(eventually([&] { return hub.received() == 1; }));
  std::thread stopping([&] { hub.listener.stop(); });
  ::usleep(20'000);
  hub.answer_held(0);
  stopping.join();
  CHECK(status_of(peer.receive_until("{}")) == "200 OK");
  CHECK(peer.closed_by_peer());
  CHECK(idle.closed_by_peer());
}

TEST_CASE("the status says what became of what was posted") {
  const client::PublishResult stored = client::Receipt{};
  const client::PublishResult not_kept = client::NotKept{};
  const auto refused = [](ErrorKind kind) -> client::PublishResult {
    client::Refused result;
    result.kind = kind;
    return result;
  };
  CHECK(http_status({stored, not_kept}) == 200);
  CHECK(http_status({stored, refused(ErrorKind::invalid)}) == 422);
  CHECK(http_status({stored, refused(ErrorKind::conflict)}) == 409);
  CHECK(http_status({stored, refused(ErrorKind::denied)}) == 403);
  CHECK(http_status({refused(ErrorKind::denied), refused(ErrorKind::invalid)}) == 422);
  CHECK(http_status({}) == 422);
}

}  // namespace
}  // namespace carehub::adapters
