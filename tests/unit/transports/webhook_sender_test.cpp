#include "adapters/transports/webhook_sender.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>

#include "tests/fakes/awaited.hpp"
#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/http_endpoint.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/fakes/tls_endpoint.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::HttpEndpoint;
using ledger::NakKind;

Rendered message(const std::string& id, const std::string& body = "{}") {
  return {Bytes(body.begin(), body.end()), "application/json", id};
}

/// The partners of these tests are on this machine.
WebhookSenderOptions to_this_machine(WebhookSenderOptions options) {
  options.allow_addresses = {"127.0.0.1"};
  return options;
}

struct Sending {
  struct AsGiven {};
  explicit Sending(WebhookSenderOptions options) : Sending(to_this_machine(std::move(options)), AsGiven{}) {}
  Sending(WebhookSenderOptions options, AsGiven) {
    options.channel = "council-duty-desk";
    auto made = WebhookSender::make(io, std::move(options));
    REQUIRE(made);
    sender = std::move(*made);
  }
  void send(Rendered rendered) {
    const std::string id = rendered.id;
    sender->send(std::move(rendered), [this, id](SendResult result) {
      const std::lock_guard lock(mutex);
      results.emplace(id, std::move(result));
    });
  }
  bool done(std::size_t count) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return results.size() == count;
    });
  }
  SendResult send_and_wait(Rendered rendered) {
    const std::string id = rendered.id;
    send(std::move(rendered));
    SendResult result;
    REQUIRE(eventually([&] {
      const std::lock_guard lock(mutex);
      const auto found = results.find(id);
      if (found != results.end()) result = found->second;
      return found != results.end();
    }));
    return result;
  }

  IoThread io;
  std::mutex mutex;
  std::map<std::string, SendResult> results;
  std::unique_ptr<WebhookSender> sender;
};

TEST_CASE("a message is posted to its URL with its id, its type and the token") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("204 No Content"); });
  Sending sending({.url = partner.url("/duty-desk?x=1"), .token = "a-long-enough-secret"});
  const SendResult result = sending.send_and_wait(message("id-1", R"({"a":1})"));
  CHECK_FALSE(result.nak);
  const auto requests = partner.requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].head.starts_with("POST /duty-desk?x=1 HTTP/1.1\r\n"));
  CHECK(requests[0].header("Host") == "127.0.0.1:" + std::to_string(partner.port()));
  CHECK(requests[0].header("Content-Type") == "application/json");
  CHECK(requests[0].header("Authorization") == "Bearer a-long-enough-secret");
  CHECK(requests[0].header("webhook-id") == "id-1");
  CHECK(requests[0].header("webhook-signature").empty());
  CHECK(requests[0].header("carehub-replay").empty());
  CHECK(requests[0].body == R"({"a":1})");
}

TEST_CASE("a replayed message carries its stream and the original id") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("204 No Content"); });
  Sending sending({.url = partner.url("/duty-desk")});
  auto again = message("id-1", R"({"a":1})");
  again.replay = "duty-desk/replay-97";
  CHECK_FALSE(sending.send_and_wait(std::move(again)).nak);
  CHECK(partner.requests().at(0).header("carehub-replay") == "duty-desk/replay-97");
  CHECK(partner.requests().at(0).header("webhook-id") == "id-1");
}

TEST_CASE("a host that cannot be looked up in time is unavailable, and partners beside it get theirs") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("204 No Content"); });
  const fakes::Awaited<Result<Addresses>> release;
  Sending stuck({.url = "http://stuck.example/",
                 .timeout_ms = 4'000,
                 .lookup = [release](const std::string&) { return release.get(); }});
  const std::string port = std::to_string(partner.port());
  Sending well({.url = "http://well.example:" + port + "/",
                .lookup = [](const std::string&) { return Addresses{"127.0.0.1"}; }});
  stuck.send(message("late"));
  CHECK_FALSE(well.send_and_wait(message("soon")).nak);
  CHECK(partner.requests().at(0).header("Host") == "well.example:" + port);
  REQUIRE(stuck.done(1));
  CHECK(stuck.results.at("late").nak == NakKind::unavailable);
  CHECK(stuck.results.at("late").code == "timeout");
  release.give(Addresses{});  // no address at all is no host
  CHECK(stuck.send_and_wait(message("later")).code == "host not found");
}

TEST_CASE("one time is for all of an attempt, from the look-up to the answer") {
  HttpEndpoint partner([](const auto&) {
    ::usleep(800'000);
    return HttpEndpoint::answer("200 OK");
  });
  // Either part alone is well within the time; together they are over it.
  Sending sending({.url = "http://slow.example:" + std::to_string(partner.port()) + "/",
                   .timeout_ms = 1'200,
                   .lookup = [](const std::string&) {
                     ::usleep(800'000);
                     return Addresses{"127.0.0.1"};
                   }});
  CHECK(sending.send_and_wait(message("1")).code == "timeout");
}

TEST_CASE("a signed message carries the signature of what was sent") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  const Bytes key(32, 7);
  Sending sending({.url = partner.url(), .signing_keys = {{key}}});
  sending.send_and_wait(message("id-1", "body"));
  const auto request = partner.requests().at(0);
  CHECK(request.header("webhook-signature") ==
        webhook_signature(key, "id-1", std::stoll(request.header("webhook-timestamp")), bytes_of("body")));
}

TEST_CASE("changed secrets are those of the next attempt, and what was taken off is in none") {
  const Bytes first(32, 7);
  const Bytes next(32, 8);
  // A partner that has taken the old token off by now.
  HttpEndpoint partner([](const auto& request) {
    const bool good = request.header("Authorization") == "Bearer the-next-long-secret";
    return HttpEndpoint::answer(good ? "204 No Content" : "401 Unauthorized");
  });
  Sending sending({.url = partner.url(), .token = "the-first-long-secret", .signing_keys = {{first}}});
  CHECK(sending.send_and_wait(message("1", "body")).code == "http 401");
  sending.sender->take({"the-next-long-secret", {{next}}});
  CHECK_FALSE(sending.send_and_wait(message("2", "body")).nak);
  const auto signed_by_next = partner.requests().at(1);
  CHECK(
      signed_by_next.header("webhook-signature") ==
      webhook_signature(next, "2", std::stoll(signed_by_next.header("webhook-timestamp")), bytes_of("body")));
  sending.sender->take({});
  CHECK(sending.send_and_wait(message("3", "body")).code == "http 401");
  CHECK(partner.requests().at(2).header("Authorization").empty());
  CHECK(partner.requests().at(2).header("webhook-signature").empty());
  CHECK(partner.connections() == 1);
}

TEST_CASE("one connection serves message after message") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  Sending sending({.url = partner.url(), .connections_max = 4});
  for (int i = 0; i < 10; ++i) CHECK_FALSE(sending.send_and_wait(message(std::to_string(i))).nak);
  CHECK(partner.connections() == 1);
}

TEST_CASE("many messages are under way at once, up to the limit") {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  HttpEndpoint partner([&](const auto&) {
    const int here = ++now;
    for (int before = most; before < here && !most.compare_exchange_weak(before, here);) {
    }
    (void)eventually([&] { return most >= 4; });
    --now;
    return HttpEndpoint::answer("200 OK");
  });
  Sending sending({.url = partner.url(), .connections_max = 4});
  for (int i = 0; i < 40; ++i) sending.send(message(std::to_string(i)));
  REQUIRE(sending.done(40));
  CHECK(most == 4);
  CHECK(partner.connections() == 4);
}

TEST_CASE("a kept connection that the partner has closed costs nothing") {
  std::atomic<int> served{0};
  HttpEndpoint fickle([&](const auto&) { return ++served == 2 ? "close" : HttpEndpoint::answer("200 OK"); });
  Sending sending({.url = fickle.url()});
  CHECK_FALSE(sending.send_and_wait(message("1")).nak);
  CHECK_FALSE(
      sending.send_and_wait(message("2")).nak);  // closed on the kept connection, then sent on a fresh one
  CHECK(fickle.connections() == 2);
}

TEST_CASE("a partner that closes without an answer is unavailable, and is not asked for ever") {
  HttpEndpoint partner([](const auto&) { return "close"; });
  Sending sending({.url = partner.url()});
  const SendResult result = sending.send_and_wait(message("1"));
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "connection lost");
  CHECK(partner.requests().size() == 1);
}

TEST_CASE("a partner that is down is unavailable") {
  const fakes::RefusingPort gone;
  Sending sending({.url = "http://127.0.0.1:" + std::to_string(gone.port()) + "/hook"});
  const SendResult result = sending.send_and_wait(message("1"));
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "connection refused");
}

TEST_CASE("a partner that does not answer in time is unavailable, and holds up no other message") {
  HttpEndpoint partner([](const auto& request) {
    return request.body == "slow" ? std::string() : HttpEndpoint::answer("200 OK");
  });
  Sending sending({.url = partner.url(), .connections_max = 2, .timeout_ms = 4'000});
  sending.send(message("slow", "slow"));
  for (int i = 0; i < 5; ++i) CHECK_FALSE(sending.send_and_wait(message(std::to_string(i))).nak);
  REQUIRE(sending.done(6));
  CHECK(sending.results.at("slow").nak == NakKind::unavailable);
  CHECK(sending.results.at("slow").code == "timeout");
}

TEST_CASE("what the partner says decides how the delivery is answered") {
  HttpEndpoint partner(
      [](const auto& request) { return HttpEndpoint::answer(request.body, "Retry-After: 7\r\n"); });
  Sending sending({.url = partner.url()});
  const auto result_of = [&](const std::string& status) {
    return sending.send_and_wait(message(status, status));
  };
  CHECK(result_of("500 Internal Server Error").nak == NakKind::failed);
  CHECK(result_of("422 Unprocessable Entity").nak == NakKind::rejected);
  const SendResult busy = result_of("429 Too Many Requests");
  CHECK(busy.nak == NakKind::unavailable);
  CHECK(busy.retry_after_ms == 7000);
  CHECK(busy.code == "http 429");
}

TEST_CASE("nothing connects to this machine unless it is allowed by name, and an alarm says so") {
  const fakes::CapturedLog log;
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  const std::string port = std::to_string(partner.port());
  for (const std::string host : {"127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "127.1"}) {
    INFO(host);
    Sending sending({.url = "http://" + host + ":" + port + "/"}, Sending::AsGiven{});
    for (const char* id : {"1", "2"}) {
      const SendResult result = sending.send_and_wait(message(id));
      CHECK(result.nak == NakKind::unavailable);
      CHECK(result.code == "address not allowed");
    }
  }
  CHECK(partner.connections() == 0);
  CHECK(log.lines_with("channel=council-duty-desk code=CH-ADDRESS alarm=true host ") == 4);
  CHECK(log.has("host 127.0.0.1 is at 127.0.0.1, a loopback address, where nothing is sent to"));
}

TEST_CASE("a name is judged by what it leads to at each connection, not by what it led to before") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("200 OK", "Connection: close\r\n"); });
  // Its connections are closed after each answer, so that the name is looked up again.
  const auto turned = std::make_shared<std::atomic<bool>>(false);
  Sending sending({.url = "http://partner.example:" + std::to_string(partner.port()) + "/",
                   .allow_addresses = {"127.0.0.1"},
                   .lookup =
                       [turned](const std::string&) {
                         return *turned ? Addresses{"127.0.0.2", "::1", "169.254.169.254"}
                                        : Addresses{"127.0.0.1"};
                       }},
                  Sending::AsGiven{});
  CHECK_FALSE(sending.send_and_wait(message("before")).nak);
  *turned = true;
  CHECK(sending.send_and_wait(message("after")).code == "address not allowed");
  CHECK(partner.requests().size() == 1);
}

TEST_CASE("of a host's addresses only those that are allowed are tried") {
  HttpEndpoint partner([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  Sending sending({.url = "http://partner.example:" + std::to_string(partner.port()) + "/",
                   .allow_addresses = {"127.0.0.0/31"},
                   .lookup = [](const std::string&) { return Addresses{"::1", "127.0.0.2", "127.0.0.1"}; }},
                  Sending::AsGiven{});
  CHECK_FALSE(sending.send_and_wait(message("1")).nak);
  CHECK(partner.requests().size() == 1);
}

TEST_CASE("nothing is sent to any address that this machine has now") {
  for (const std::string& own : own_addresses()) {
    INFO(own);
    Sending sending(
        {.url = "http://partner.example:9/", .lookup = [own](const std::string&) { return Addresses{own}; }},
        Sending::AsGiven{});
    CHECK(sending.send_and_wait(message("1")).code == "address not allowed");
  }
}

TEST_CASE("what is allowed has to be an address or a network") {
  IoThread io;
  CHECK_FALSE(WebhookSender::make(io, {.url = "https://desk.example/", .allow_addresses = {"localhost"}}));
}

TEST_CASE("a redirect is not followed") {
  HttpEndpoint elsewhere([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  HttpEndpoint partner([&](const auto&) {
    return HttpEndpoint::answer("307 Temporary Redirect", "Location: " + elsewhere.url() + "\r\n");
  });
  Sending sending({.url = partner.url()});
  const SendResult result = sending.send_and_wait(message("1"));
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "http 307");
  CHECK(elsewhere.requests().empty());
}

TEST_CASE("an answer that is not HTTP, or endless, does no harm") {
  HttpEndpoint noise([](const auto&) { return "220 mail.example ESMTP\r\nConnection: close\r\n\r\n"; });
  Sending to_noise({.url = noise.url()});
  CHECK(to_noise.send_and_wait(message("1")).nak == NakKind::unavailable);
  HttpEndpoint endless([](const auto&) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(3U << 20U, 'x');
  });
  Sending to_endless({.url = endless.url()});
  CHECK_FALSE(to_endless.send_and_wait(message("1")).nak);
}

TEST_CASE("https goes only to a partner whose certificate is trusted and is for this host") {
  fakes::TemporaryFolder folder;
  const auto file = folder.path() / "partner.pem";
  fakes::TlsEndpoint partner("IP:127.0.0.1", file);
  {
    Sending trusting({.url = partner.url(), .ca_file = file});
    CHECK_FALSE(trusting.send_and_wait(message("1")).nak);
    CHECK(partner.requests() == 1);
  }
  Sending stranger({.url = partner.url()});
  const SendResult result = stranger.send_and_wait(message("2"));
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "tls");
  const auto other_file = folder.path() / "other.pem";
  fakes::TlsEndpoint other("IP:127.0.0.2", other_file);
  Sending misled({.url = other.url(), .ca_file = other_file});
  CHECK(misled.send_and_wait(message("3")).code == "tls");
  CHECK(other.requests() == 0);
  CHECK(partner.requests() == 1);
}

TEST_CASE("https never falls back to a partner without TLS") {
  HttpEndpoint plain([](const auto&) { return HttpEndpoint::answer("200 OK"); });
  Sending sending({.url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/", .timeout_ms = 500});
  CHECK(sending.send_and_wait(message("1")).nak == NakKind::unavailable);
  for (const auto& request : plain.requests()) CHECK(request.head.find("POST") == std::string::npos);
}

TEST_CASE("a CA file that holds no certificate is said at once") {
  fakes::TemporaryFolder folder;
  folder.write("ca.pem", "not a certificate");
  IoThread io;
  CHECK_FALSE(WebhookSender::make(io, {.url = "https://desk.example/", .ca_file = folder.path() / "ca.pem"}));
}

TEST_CASE("a sender that stops says so for everything that waits") {
  HttpEndpoint partner([](const auto&) { return std::string(); });
  Sending sending({.url = partner.url(), .connections_max = 1});
  for (int i = 0; i < 3; ++i) sending.send(message(std::to_string(i)));
  REQUIRE(eventually([&] { return partner.requests().size() == 1; }));
  sending.sender->stop();
  REQUIRE(sending.done(3));
  for (const auto& [id, result] : sending.results) CHECK(result.nak == NakKind::unavailable);
}

}  // namespace
}  // namespace carehub::adapters
