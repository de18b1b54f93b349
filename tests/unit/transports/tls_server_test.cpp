#include "adapters/transports/tls_server.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>

#include "adapters/transports/http_listener.hpp"
#include "adapters/transports/mllp_listener.hpp"
#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/fakes/tls_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::CapturedLog;
using fakes::CertificateAuthority;
using fakes::Credential;
using fakes::eventually;
using fakes::TcpPeer;
using fakes::TlsPeer;

constexpr long kDayS = 24 * 3600;

/// One listener of each kind, what it is asked and how its answer ends.
struct Mllp {
  using Listener = MllpListener;
  using Options = MllpListenerOptions;
  static std::string question() { return "\x0BMSH|one\x1C\r"; }
  static std::string end() { return "\x1C\r"; }
};
struct Http {
  using Listener = HttpListener;
  using Options = HttpListenerOptions;
  static std::string question() {
    return "POST / HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  }
  static std::string end() { return "taken"; }
};

/// The files of a listener, and who may vouch for its clients.
struct Files {
  Files() {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    put(authority.issue({.common_name = "hub", .serial = 1}));
    authority.write(folder.path() / "ca.pem");
  }
  void put(const Credential& own) const { own.write(certificate(), key()); }
  std::filesystem::path certificate() const { return folder.path() / "hub.pem"; }
  std::filesystem::path key() const { return folder.path() / "hub.key"; }
  TlsOptions options() const { return {.certificate_file = certificate(), .key_file = key(), .look_ms = 20}; }
  TlsOptions for_clients(std::vector<std::string> names = {}) const {
    TlsOptions options = this->options();
    options.client_ca_file = folder.path() / "ca.pem";
    options.client_names = std::move(names);
    return options;
  }

  fakes::TemporaryFolder folder;
  CertificateAuthority authority;
};

template <class Kind>
struct Listening {
  explicit Listening(TlsOptions tls, std::size_t connections_max = 16)
      : listener(io, options_with(std::move(tls), connections_max)) {
    REQUIRE(listener.start([this](const Bytes&, const Arrival&,
                                  const std::function<void(TransportReply)>& reply) {
      ++taken;
      const std::string answer = "taken";
      reply(
          {.busy = false, .messages = {Bytes(answer.begin(), answer.end())}, .results = {client::Receipt{}}});
    }));
  }
  static typename Kind::Options options_with(TlsOptions tls, std::size_t connections_max) {
    typename Kind::Options options;
    options.channel = "elwick-adt";
    options.connections_max = connections_max;
    options.tls = std::move(tls);
    return options;
  }
  TlsPeer connect(const Credential* shown = nullptr, std::optional<int> version = std::nullopt) {
    return TlsPeer::connect(listener.port(), shown, version);
  }
  static std::string ask(TlsPeer& peer) { return peer.ask(Kind::question(), Kind::end()); }
  static bool answered(TlsPeer& peer) { return ask(peer).find("taken") != std::string::npos; }
  /// Nothing was handed over or answered, and the listener knows why.
  bool refused(TlsPeer&& peer, TlsRefusal cause) {
    return ask(peer).empty() && eventually([&] { return listener.tls_counts().of(cause) == 1; }) &&
           taken == 0;
  }

  std::atomic<int> taken{0};
  IoThread io;
  typename Kind::Listener listener;
};

TEMPLATE_TEST_CASE("over TLS 1.2 and 1.3 a message is taken and answered", "", Mllp, Http) {
  const Files files;
  Listening<TestType> hub(files.options());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer = hub.connect(nullptr, version);
    CHECK(hub.answered(peer));
    CHECK(hub.answered(peer));  // and the next on the same connection
    CHECK(peer.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
    INFO(peer.cipher());
    CHECK((peer.cipher().find("GCM") != std::string::npos ||
           peer.cipher().find("CHACHA20") != std::string::npos));
  }
  CHECK(hub.listener.tls_counts().let_in == 2);
}

TEMPLATE_TEST_CASE("a message larger than many TLS records is taken whole", "", Mllp, Http) {
  const Files files;
  Listening<TestType> hub(files.options());
  TlsPeer peer = hub.connect();
  const std::string large(300'000, ' ');
  const bool mllp = std::is_same_v<TestType, Mllp>;
  const std::string question = mllp ? "\x0B" + large + "\x1C\r"
                                    : "POST / HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
                                      "Content-Length: 300000\r\n\r\n" +
                                          large;
  CHECK(peer.ask(question, TestType::end()).find("taken") != std::string::npos);
}

TEMPLATE_TEST_CASE("a client with a certificate of the right authority is let in", "", Mllp, Http) {
  const Files files;
  const Credential client = files.authority.issue({});
  Listening<TestType> hub(files.for_clients());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer = hub.connect(&client, version);
    CHECK(hub.answered(peer));
  }
}

TEMPLATE_TEST_CASE("a client without a certificate is not let in where one is asked for", "", Mllp, Http) {
  const Files files;
  Listening<TestType> hub(files.for_clients());
  CHECK(hub.refused(hub.connect(), TlsRefusal::no_certificate));
}

TEMPLATE_TEST_CASE("a client of another authority is not let in", "", Mllp, Http) {
  const Files files;
  // One goes by the same name as the right one, and signs with another key.
  for (const char* name : {"test authority", "another authority"}) {
    const Credential stranger = CertificateAuthority(name).issue({});
    Listening<TestType> hub(files.for_clients());
    CHECK(hub.refused(hub.connect(&stranger), TlsRefusal::untrusted));
  }
}

TEMPLATE_TEST_CASE("a client whose certificate has ended, or not begun, is not let in", "", Mllp, Http) {
  const Files files;
  const Credential ended = files.authority.issue({.begins_s = -2 * kDayS, .ends_s = -kDayS});
  const Credential early = files.authority.issue({.begins_s = kDayS, .ends_s = 2 * kDayS});
  for (const Credential* shown : {&ended, &early}) {
    Listening<TestType> hub(files.for_clients());
    CHECK(hub.refused(hub.connect(shown), TlsRefusal::out_of_date));
  }
}

TEMPLATE_TEST_CASE("where clients are named, only those are let in", "", Mllp, Http) {
  const Files files;
  const Credential listed = files.authority.issue({.alternative_names = "DNS:PAS.elwick.example"});
  const Credential by_uri = files.authority.issue({.alternative_names = "URI:urn:elwick:pas"});
  const Credential by_common_name = files.authority.issue({.common_name = "elwick-pas"});
  const Credential other =
      files.authority.issue({.common_name = "elwick-pas", .alternative_names = "DNS:x.example"});
  Listening<TestType> hub(files.for_clients({"pas.elwick.example", "urn:elwick:pas", "elwick-pas"}));
  for (const Credential* shown : {&listed, &by_uri, &by_common_name}) {
    TlsPeer peer = hub.connect(shown);
    CHECK(hub.answered(peer));
  }
  hub.taken = 0;
  // Its common name is on the list, and does not count beside another name.
  CHECK(hub.refused(hub.connect(&other), TlsRefusal::not_named));
}

TEMPLATE_TEST_CASE("TLS 1.1 is refused", "", Mllp, Http) {
  const Files files;
  Listening<TestType> hub(files.options());
  TlsPeer peer = hub.connect(nullptr, TLS1_1_VERSION);
  CHECK_FALSE(peer.met());
  CHECK(hub.refused(std::move(peer), TlsRefusal::old_version));
}

TEMPLATE_TEST_CASE("plain bytes to a TLS port are not read as a message, and the log does not repeat them",
                   "", Mllp, Http) {
  const CapturedLog log;
  const Files files;
  Listening<TestType> hub(files.options());
  TcpPeer peer = TcpPeer::connect(hub.listener.port());
  peer.send(TestType::question());
  CHECK(peer.closed_by_peer());
  CHECK(eventually([&] { return hub.listener.tls_counts().of(TlsRefusal::not_tls) == 1; }));
  CHECK(hub.taken == 0);
  CHECK(log.has("channel=elwick-adt peer=127.0.0.1:"));
  CHECK(log.has("what was sent is not TLS"));
  CHECK_FALSE(log.has("MSH"));
  CHECK_FALSE(log.has("json"));
}

TEMPLATE_TEST_CASE("half a handshake ends after its time", "", Mllp, Http) {
  const Files files;
  TlsOptions options = files.options();
  options.handshake_ms = 100;
  Listening<TestType> hub(std::move(options));
  TcpPeer peer = TcpPeer::connect(hub.listener.port());
  peer.send(std::string_view("\x16\x03\x01\x02", 4));
  CHECK(peer.closed_by_peer());
  CHECK(eventually([&] { return hub.listener.tls_counts().of(TlsRefusal::too_slow) == 1; }));
}

TEMPLATE_TEST_CASE("half handshakes count as connections and make room for who speaks", "", Mllp, Http) {
  const Files files;
  TlsOptions options = files.options();
  options.handshake_ms = 600'000;
  Listening<TestType> hub(std::move(options), 1);
  TcpPeer silent = TcpPeer::connect(hub.listener.port());
  silent.send(std::string_view("\x16\x03\x01", 3));
  TlsPeer peer = hub.connect();
  CHECK(hub.answered(peer));
  CHECK(silent.closed_by_peer());
}

TEMPLATE_TEST_CASE("a changed certificate is for new connections, and open ones go on", "", Mllp, Http) {
  const Files files;
  Listening<TestType> hub(files.options());
  TlsPeer before = hub.connect();
  REQUIRE(hub.answered(before));
  files.put(files.authority.issue({.common_name = "hub", .serial = 2}));
  CHECK(eventually([&] { return hub.connect().server_serial() == 2; }));
  CHECK(before.server_serial() == 1);
  CHECK(hub.answered(before));
}

TEMPLATE_TEST_CASE("a changed list of authorities is for new connections", "", Mllp, Http) {
  const Files files;
  const Credential client = files.authority.issue({});
  const CertificateAuthority another;
  const Credential replaced = another.issue({});
  Listening<TestType> hub(files.for_clients());
  TlsPeer before = hub.connect(&client);
  REQUIRE(hub.answered(before));
  another.write(files.folder.path() / "ca.pem");
  CHECK(eventually([&] {
    TlsPeer peer = hub.connect(&replaced);
    return hub.answered(peer);
  }));
  TlsPeer after = hub.connect(&client);
  CHECK_FALSE(hub.answered(after));
  CHECK(hub.answered(before));
}

TEMPLATE_TEST_CASE("a wrong pair keeps the certificate before and alarms once", "", Mllp, Http) {
  const CapturedLog log;
  const Files files;
  Listening<TestType> hub(files.options());
  files.authority.issue({.common_name = "hub", .serial = 2}).write_certificate(files.certificate());
  REQUIRE(eventually([&] { return log.has("code=CH-TLS-FILES alarm=true"); }));
  CHECK(log.has("does not belong to the certificate"));
  TlsPeer meanwhile = hub.connect();
  CHECK(meanwhile.server_serial() == 1);
  CHECK(hub.answered(meanwhile));
  files.put(files.authority.issue({.common_name = "hub", .serial = 3}));
  CHECK(eventually([&] { return hub.connect().server_serial() == 3; }));
  CHECK(log.lines_with("CH-TLS-FILES") == 1);
}

TEMPLATE_TEST_CASE("a listener with the key of another certificate does not start", "", Mllp, Http) {
  const Files files;
  files.authority.issue({}).write_certificate(files.certificate());
  IoThread io;
  typename TestType::Listener listener(io, Listening<TestType>::options_with(files.options(), 1));
  const auto started = listener.start([](const Bytes&, const Arrival&, const auto&) {});
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::invalid);
  CHECK(started.error().text.find("channel elwick-adt: the key " + files.key().string() +
                                  " does not belong to the certificate") == 0);
}

TEST_CASE("a certificate that ends within 30 days alarms at the start, one that ends later does not") {
  const CapturedLog log;
  const Files files;
  {
    const Listening<Mllp> hub(files.options());
    TlsPeer peer = TlsPeer::connect(hub.listener.port());
    REQUIRE(hub.answered(peer));
  }
  CHECK_FALSE(log.has("CH-TLS-EXPIRES"));
  files.put(files.authority.issue({.ends_s = 29 * kDayS}));
  const Listening<Mllp> hub(files.options());
  CHECK(eventually([&] { return log.has("code=CH-TLS-EXPIRES alarm=true the certificate in "); }));
}

TEST_CASE("a flood of refused clients is one line a second and a sum a minute, with the causes") {
  const CapturedLog log;
  const Files files;
  Listening<Mllp> hub(files.options());
  constexpr int kClients = 200;
  for (int i = 0; i < kClients; ++i) TcpPeer::connect(hub.listener.port()).send("GET / HTTP/1.1\r\n\r\n");
  REQUIRE(eventually([&] {
    const TlsCounts counts = hub.listener.tls_counts();
    return counts.of(TlsRefusal::not_tls) + counts.of(TlsRefusal::gave_up) == kClients;
  }));
  REQUIRE(eventually([&] { return log.has("clients not let in since the start: "); }));
  CHECK(log.lines_with("channel=elwick-adt") < kClients);
}

TEST_CASE("whoever has said all over MLLP is told that nothing more comes") {
  const Files files;
  Listening<Mllp> hub(files.options());
  TlsPeer peer = hub.connect();
  REQUIRE(hub.answered(peer));
  peer.say_goodbye();
  CHECK(peer.receive_until("never").empty());
  CHECK(peer.told_goodbye());
}

TEST_CASE("a refused HTTP request is answered whole before the connection closes") {
  const Files files;
  Listening<Http> hub(files.options());
  TlsPeer peer = hub.connect();
  const std::string answer = peer.ask("POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\n", "never");
  CHECK(answer.find("HTTP/1.1 415 ") == 0);
  CHECK(peer.told_goodbye());
}

TEST_CASE("no session is kept for a later connection, and nothing is negotiated anew") {
  const Files files;
  Listening<Mllp> hub(files.options());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer = hub.connect(nullptr, version);
    REQUIRE(hub.answered(peer));
    CHECK(SSL_SESSION_has_ticket(SSL_get_session(peer.session())) == 0);
    if (version == TLS1_3_VERSION) continue;
    REQUIRE(SSL_renegotiate(peer.session()) == 1);
    CHECK(SSL_do_handshake(peer.session()) != 1);
  }
}

}  // namespace
}  // namespace carehub::adapters
