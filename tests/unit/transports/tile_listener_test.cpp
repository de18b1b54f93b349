#include "adapters/transports/tile_listener.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/answering_client.hpp"
#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/fakes/tls_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::TcpPeer;

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: log\r\n\r\n"; }

struct Served {
  explicit Served(const TileListenerOptions& options = {}) : listener(io, options, hub) {
    const auto started = listener.start();
    if (!started) FAIL(started.error().text);
  }
  /// Sends a request on a connection of its own.
  TcpPeer send(const std::string& request) const {
    TcpPeer peer = TcpPeer::connect(listener.port());
    peer.send(request);
    peer.finish_sending();
    return peer;
  }
  /// The answer to what the hub was not asked about.
  std::string told(const std::string& request) const { return send(request).receive_until("no such bytes"); }
  /// The answer to what the hub says this about.
  std::string told(const std::string& request, wire::PageT page) {
    TcpPeer peer = send(request);
    REQUIRE(eventually([this] { return hub.waiting() == 1; }));
    asked = hub.asked();
    hub.reply(client::Reply(std::move(page)));
    return peer.receive_until("no such bytes");
  }

  fakes::AnsweringClient hub;
  wire::QueryT asked;
  IoThread io;
  TileListener listener;
};

wire::PageT page_with(wire::RowT row) {
  wire::PageT page;
  page.rows.push_back(std::make_unique<wire::RowT>(std::move(row)));
  return page;
}

wire::PageT checkpoint(const std::string& text) {
  wire::RowT row;
  row.kind = "checkpoint";
  row.text = text;
  return page_with(std::move(row));
}

wire::PageT tile(std::size_t width) {
  wire::RowT row;
  row.kind = "tile";
  for (std::size_t at = 0; at < width; ++at) {
    std::array<std::uint8_t, 32> hash{};
    hash.fill(static_cast<std::uint8_t>('a' + at % 26));
    row.hashes.emplace_back(flatbuffers::span<const std::uint8_t, 32>(hash));
  }
  return page_with(std::move(row));
}

wire::PageT refused(wire::ErrorKind kind) {
  wire::PageT page;
  page.error = kind;
  page.text = "a text of the hub's";
  return page;
}

bool starts(const std::string& response, const std::string& status) {
  return response.starts_with("HTTP/1.1 " + status + "\r\n");
}

bool has(const std::string& response, const std::string& part) {
  return response.find(part) != std::string::npos;
}

TEST_CASE("the checkpoint is served as text that nobody caches") {
  Served log;
  const std::string response = log.told(get("/checkpoint"), checkpoint("a log\n5\nroot\n\nsignature\n"));
  CHECK(starts(response, "200 OK"));
  CHECK(has(response, "Content-Type: text/plain; charset=utf-8\r\n"));
  CHECK(has(response, "Cache-Control: no-cache\r\n"));
  CHECK(response.ends_with("\r\n\r\na log\n5\nroot\n\nsignature\n"));
  CHECK(log.asked.kind == wire::QueryKind::checkpoint);
  CHECK(log.asked.path.empty());
  CHECK(starts(log.told(get("/checkpoint.cosigned"), checkpoint("older\n")), "200 OK"));
  CHECK(log.asked.path == "cosigned");
  CHECK(starts(log.told(get("/checkpoint.cosigned"), refused(wire::ErrorKind::not_found)), "404 Not Found"));
}

TEST_CASE("a tile is its hashes, 32 bytes each, and a full one may be kept for ever") {
  Served log;
  const std::string full = log.told(get("/tile/0/x001/067"), tile(256));
  CHECK(starts(full, "200 OK"));
  CHECK(log.asked.kind == wire::QueryKind::tile);
  CHECK(log.asked.path == "tile/0/x001/067");
  CHECK(has(full, "Content-Type: application/octet-stream\r\n"));
  CHECK(has(full, "Content-Length: 8192\r\n"));
  CHECK(has(full, "immutable"));
  CHECK(has(full, "\r\n\r\n" + std::string(32, 'a') + std::string(32, 'b') + "c"));
  const std::string partial = log.told(get("/tile/1/000.p/3"), tile(3));
  CHECK(has(partial, "Content-Length: 96\r\n"));
  CHECK_FALSE(has(partial, "immutable"));
}

TEST_CASE("what is no part of the log is refused, and no text of the hub's is repeated") {
  Served log;
  for (const char* path : {"/", "/tiles", "/tile", "/events", "/tile/entries/000", "/checkpoint/", "/.."}) {
    CAPTURE(path);
    CHECK(starts(log.told(get(path)), "404 Not Found"));
  }
  CHECK(starts(log.told(get("/tile/" + std::string(200, '0'))), "404 Not Found"));
  const std::string wrong = log.told(get("/tile/9/../x"), refused(wire::ErrorKind::invalid));
  CHECK(starts(wrong, "400 Bad Request"));
  CHECK_FALSE(has(wrong, "hub's"));
  CHECK(starts(log.told(get("/tile/0/009"), refused(wire::ErrorKind::not_found)), "404 Not Found"));
  const std::string busy = log.told(get("/tile/0/000"), refused(wire::ErrorKind::overloaded));
  CHECK(starts(busy, "503 Service Unavailable"));
  CHECK(has(busy, "Retry-After: 1\r\n"));
}

TEST_CASE("nothing can be sent here: only GET without a body") {
  Served log;
  const std::string post = log.told("POST /checkpoint HTTP/1.1\r\nHost: log\r\nContent-Length: 0\r\n\r\n");
  CHECK(starts(post, "405 Method Not Allowed"));
  CHECK(has(post, "Allow: GET\r\n"));
  CHECK(
      starts(log.told("GET /checkpoint HTTP/1.1\r\nHost: log\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
             "400 Bad Request"));
  CHECK(starts(log.told("GET /checkpoint HTTP/1.1\r\nHost: log\r\nContent-Length: 2\r\n\r\n{}"),
               "413 Payload Too Large"));
  CHECK(starts(log.told(get("/healthz")), "200 OK"));
  CHECK(log.hub.waiting() == 0);
}

TEST_CASE("while the hub is away, or says nothing in time, a reader is told to ask again") {
  Served log({.timeout_ms = 2'000});
  log.hub.connect(false);
  CHECK(starts(log.told(get("/checkpoint")), "503 Service Unavailable"));
  CHECK(log.hub.waiting() == 0);
  log.hub.connect(true);
  CHECK(starts(log.told(get("/checkpoint")), "503 Service Unavailable"));
  CHECK(log.hub.waiting() == 1);
}

TEST_CASE("the hub is asked a few questions at once, and who waits has his turn") {
  Served log;
  std::vector<TcpPeer> peers;
  for (int each = 0; each < 20; ++each) {
    peers.push_back(TcpPeer::connect(log.listener.port()));
    peers.back().send(get("/tile/0/000.p/1"));
  }
  std::size_t most = 0;
  for (int each = 0; each < 20; ++each) {
    REQUIRE(eventually([&log] { return log.hub.waiting() > 0; }));
    most = std::max(most, log.hub.waiting());
    log.hub.reply(client::Reply(tile(1)));
  }
  CHECK(most <= 4);
  for (TcpPeer& peer : peers) {
    CHECK(starts(peer.receive_until("\r\n\r\n"), "200 OK"));
    CHECK(peer.receive(32) == std::string(32, 'a'));
  }
  // The connections are kept for the next question.
  peers.front().send(get("/tile/0/000.p/1"));
  REQUIRE(eventually([&log] { return log.hub.waiting() == 1; }));
  log.hub.reply(client::Reply(tile(1)));
  CHECK(starts(peers.front().receive_until("\r\n\r\n"), "200 OK"));
}

TEST_CASE("the checkpoint is read over TLS, and not in clear beside it") {
  const fakes::TemporaryFolder folder;
  const fakes::CertificateAuthority authority;
  const TlsOptions tls{.certificate_file = folder.path() / "hub.pem", .key_file = folder.path() / "hub.key"};
  authority.issue({}).write(tls.certificate_file, tls.key_file);
  TileListenerOptions options;
  options.tls = tls;
  Served served(options);
  auto peer = fakes::TlsPeer::connect(served.listener.port());
  REQUIRE(peer.send(get("/checkpoint")));
  REQUIRE(eventually([&] { return served.hub.waiting() == 1; }));
  served.hub.reply(client::Reply(checkpoint("a signed note")));
  CHECK(starts(peer.receive_until("a signed note"), "200 OK"));
  CHECK_FALSE(starts(served.told(get("/healthz")), "200 OK"));
}

}  // namespace
}  // namespace carehub::adapters
