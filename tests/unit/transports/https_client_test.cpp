#include "adapters/transports/https_client.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "tests/fakes/temporary_directory.hpp"
#include "tests/fakes/tls_endpoint.hpp"

namespace carehub::adapters {
namespace {

using fakes::TlsEndpoint;

struct Server {
  explicit Server(TlsEndpoint::Respond respond, const std::string& name = "IP:127.0.0.1")
      : endpoint(name, certificate, [this, respond = std::move(respond)](const std::string& request) {
          heard = request;
          return respond(request);
        }) {}
  Result<HttpsAnswer> ask(HttpsRequest request = {}) {
    if (request.url.empty()) request.url = endpoint.url() + "place?x=1";
    request.ca_file = certificate;
    return ask_https(request);
  }
  fakes::TemporaryDirectory directory;
  std::filesystem::path certificate = directory.path() / "server.pem";
  std::string heard;
  TlsEndpoint endpoint;
};

TEST_CASE("a server that is trusted is asked, and its answer had whole whatever its status") {
  Server server([](const std::string&) { return TlsEndpoint::answer("404 Not Found", "{\"a\":1}"); });
  const auto answer = server.ask({.url = {}, .bearer = "a-token"});
  REQUIRE(answer);
  CHECK(answer->status == 404);
  CHECK(answer->body == "{\"a\":1}");
  CHECK(server.heard.starts_with("GET /place?x=1 HTTP/1.1\r\n"));
  CHECK(server.heard.find("\r\nAuthorization: Bearer a-token\r\n") != std::string::npos);
}

TEST_CASE("a form is posted, with a name and a password where they are given") {
  Server server([](const std::string&) { return TlsEndpoint::answer("200 OK", ""); });
  REQUIRE(server.ask({.url = {}, .form = "a=1&b=2", .user = "jo", .password = "se:cret"}));
  CHECK(server.heard.starts_with("POST /place?x=1 HTTP/1.1\r\n"));
  CHECK(server.heard.find("\r\nContent-Type: application/x-www-form-urlencoded\r\n") != std::string::npos);
  CHECK(server.heard.find("\r\nAuthorization: Basic am86c2U6Y3JldA==\r\n") != std::string::npos);
  CHECK(server.heard.ends_with("\r\n\r\na=1&b=2"));
}

TEST_CASE("a server whose certificate is not trusted, or is for another name, is told nothing") {
  Server other([](const std::string&) { return TlsEndpoint::answer("200 OK", ""); }, "IP:127.0.0.2");
  const auto wrong_name = other.ask({.url = {}, .form = "secret=1"});
  REQUIRE_FALSE(wrong_name);
  CHECK(wrong_name.error().kind == ErrorKind::unavailable);
  CHECK(wrong_name.error().text.starts_with("127.0.0.1 cannot be asked: "));
  CHECK(wrong_name.error().text.find("secret") == std::string::npos);
  Server untrusted([](const std::string&) { return TlsEndpoint::answer("200 OK", ""); });
  CHECK_FALSE(ask_https({.url = untrusted.endpoint.url(), .ca_file = other.certificate}));
  CHECK_FALSE(ask_https({.url = untrusted.endpoint.url()}));
  CHECK(other.endpoint.requests() + untrusted.endpoint.requests() == 0);
}

TEST_CASE("nothing is asked in clear, of a file, or without a host") {
  for (const char* url :
       {"http://127.0.0.1/", "file:///etc/passwd", "https://", "", "127.0.0.1", "ftp://a/b"}) {
    INFO(url);
    const auto answer = ask_https({.url = url});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == ErrorKind::invalid);
  }
}

TEST_CASE("a redirect is an answer like another: nothing else is asked because of it") {
  Server elsewhere([](const std::string&) { return TlsEndpoint::answer("200 OK", "in"); });
  Server server([&](const std::string&) {
    return TlsEndpoint::answer("302 Found", "", "Location: " + elsewhere.endpoint.url() + "\r\n");
  });
  const auto answer = server.ask();
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(elsewhere.endpoint.requests() == 0);
}

TEST_CASE("an answer that is too long, cut in half or not HTTP is none") {
  Server large([](const std::string&) {
    return TlsEndpoint::answer("200 OK", std::string(kHttpsAnswerBytesMax + 1, 'x'));
  });
  const auto too_long = large.ask();
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().kind == ErrorKind::overloaded);
  Server cut([](const std::string&) { return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"; });
  CHECK_FALSE(cut.ask());
  Server other([](const std::string&) { return "something else entirely\r\n\r\n"; });
  CHECK_FALSE(other.ask());
}

TEST_CASE("who is to stop does not wait for an answer") {
  std::atomic<bool> stop{false};
  std::promise<void> over;
  Server silent([&](const std::string&) {
    stop = true;
    over.get_future().wait();
    return TlsEndpoint::answer("200 OK", "");
  });
  const auto answer = silent.ask({.url = {}, .stop = &stop});
  over.set_value();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == ErrorKind::unavailable);
}

}  // namespace
}  // namespace carehub::adapters
