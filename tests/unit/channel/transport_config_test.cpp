#include "adapters/channel/transport_config.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/fakes/own_memory.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/fakes/tls_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::TemporaryFolder;

/// Transports of one document, read in order by one reader.
struct Read {
  explicit Read(const std::vector<std::pair<Direction, std::string>>& channels) {
    std::string text;
    for (const auto& [direction, transport] : channels) {
      text += "[[channel]]\ntransport = { " + transport + " }\n";
    }
    auto document = ConfigDocument::parse(text, "hub.toml");
    TransportReader reader(folder.path());
    auto root = document.root();
    std::size_t at = 0;
    for (ConfigTable& channel : root.tables("channel")) {
      transports.push_back(reader.read(channel, "it", channels[at++].first));
    }
    document.report_unused();
    for (const ConfigFault& fault : document.faults()) faults += to_string(fault) + "\n";
    count = document.faults().size();
  }
  bool has(const std::string& text) const { return faults.find(text) != std::string::npos; }

  static const TemporaryFolder folder;
  std::vector<std::optional<TransportConfig>> transports;
  std::string faults;
  std::size_t count = 0;
};

const TemporaryFolder Read::folder;

constexpr Direction in = Direction::in;
constexpr Direction out = Direction::out;

TEST_CASE("what a transport does not say has a safe value: this machine alone, and the limits") {
  const Read read({{in, R"(kind = "mllp", port = 2575)"}, {in, R"(kind = "http", port = 8081)"}});
  INFO(read.faults);
  REQUIRE(read.count == 0);
  const auto& mllp = std::get<MllpListenerOptions>(*read.transports[0]);
  CHECK(mllp.address == "127.0.0.1");
  CHECK(mllp.connections_max == limits::kMllpConnectionsMax);
  const auto& http = std::get<HttpListenerOptions>(*read.transports[1]);
  CHECK(http.address == "127.0.0.1");
  CHECK(http.path == "/");
  CHECK(http.timeout_ms == limits::kHttpTimeoutMs);
}

TEST_CASE("an HTTP listener that others can reach needs a token, on IPv6 as well") {
  for (const char* address : {"0.0.0.0", "::", "10.1.2.3"}) {
    const Read open({{in, R"(kind = "http", port = 8081, address = ")" + std::string(address) + "\""}});
    INFO(address);
    CHECK(open.has("anybody who reaches this address could post"));
  }
  for (const char* address : {"127.0.0.1", "127.9.9.9", "::1"}) {
    const Read local({{in, R"(kind = "http", port = 8081, address = ")" + std::string(address) + "\""}});
    INFO(address << local.faults);
    CHECK(local.count == 0);
  }
}

TEST_CASE("the TLS of a listener is read with its files, and its faults have their places") {
  const fakes::CertificateAuthority authority;
  const auto& folder = Read::folder.path();
  authority.write(folder / "ca.pem");
  authority.issue({}).write(folder / "hub.pem", folder / "hub.key");
  const std::string files = R"(certificate_file = "hub.pem", key_file = "hub.key")";
  const auto listener = [](const std::string& kind, const std::string& tls) {
    return Read({{in, "kind = \"" + kind + "\", port = 2575, tls = { " + tls + " }"}});
  };
  for (const char* kind : {"mllp", "http"}) {
    const Read read = listener(kind, files + R"(, client_ca_file = "ca.pem", client_names = ["a.example"])");
    INFO(read.faults);
    REQUIRE(read.count == 0);
    const TlsOptions tls = kind == std::string("mllp")
                               ? *std::get<MllpListenerOptions>(*read.transports[0]).tls
                               : *std::get<HttpListenerOptions>(*read.transports[0]).tls;
    CHECK(tls.certificate_file == folder / "hub.pem");
    CHECK(tls.key_file == folder / "hub.key");
    CHECK(tls.client_ca_file == folder / "ca.pem");
    CHECK(tls.client_names == std::vector<std::string>{"a.example"});
  }
  CHECK(listener("mllp", R"(certificate_file = "hub.pem", key_file = "no.key")").has("there is no file"));
  CHECK(listener("mllp", R"(key_file = "hub.key")").has("certificate_file"));
  CHECK(listener("mllp", files + R"(, client_names = ["a"])").has("nobody vouches for the clients' names"));
  CHECK(listener("mllp", files + R"(, client_ca_file = "ca.pem", client_names = [])")
            .has("no client is named"));
  CHECK(listener("mllp", files + R"(, client_name = ["a"])").has("Did you mean `client_names`?"));
  authority.issue({}).write_certificate(folder / "other.pem");
  const Read wrong = listener("http", R"(certificate_file = "other.pem", key_file = "hub.key")");
  INFO(wrong.faults);
  CHECK(wrong.count == 1);
  CHECK(wrong.faults.starts_with("hub.toml:2:"));
  CHECK(wrong.has("does not belong to the certificate"));
}

TEST_CASE("a listener in clear on a network, and a certificate that ends soon, are doubted") {
  const fakes::CertificateAuthority authority;
  const auto& folder = Read::folder.path();
  authority.issue({.ends_s = 3600}).write(folder / "soon.pem", folder / "soon.key");
  const TlsOptions soon{.certificate_file = folder / "soon.pem", .key_file = folder / "soon.key"};
  const auto doubts = [](const std::string& address, const std::optional<TlsOptions>& tls) {
    ChannelConfig channel;
    channel.name = "adt";
    MllpListenerOptions mllp;
    mllp.address = address;
    mllp.tls = tls;
    channel.transport = mllp;
    return doubts_about({channel}, std::nullopt, SystemClock().now());
  };
  CHECK(doubts("127.0.0.1", std::nullopt).empty());
  const auto clear = doubts("0.0.0.0", std::nullopt);
  REQUIRE(clear.size() == 1);
  CHECK(clear[0].starts_with("channel `adt` takes messages on 0.0.0.0 without TLS"));
  const auto ends = doubts("0.0.0.0", soon);
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].find("soon.pem ends at ") != std::string::npos);
}

TEST_CASE("a webhook to this machine is a fault at its url, unless the address is allowed by name") {
  for (const char* host :
       {"127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "localhost", "a.localhost"}) {
    const std::string url = "kind = \"webhook\", url = \"http://" + std::string(host) + ":8091/\"";
    const Read refused({{out, url}});
    INFO(refused.faults);
    CHECK(refused.count == 1);
    CHECK(refused.faults.starts_with("hub.toml:2:"));
    CHECK(refused.has(
        "where nothing is sent to. Give the partner's address; if this one is meant, name it in"));
    const Read allowed({{out, url + R"(, allow_addresses = ["127.0.0.0/8", "::1", "169.254.169.254"])"}});
    INFO(allowed.faults);
    CHECK(allowed.count == 0);
  }
  const std::string desk = R"(kind = "webhook", url = "http://10.1.2.3/")";
  CHECK(Read({{out, desk}}).count == 0);
  const Read wrong({{out, desk + R"(, allow_addresses = ["desk.example"])"}});
  CHECK(wrong.has("`desk.example` is neither an IP address nor a network"));
}

TEST_CASE(
    "a token in clear is gone from memory once its hash is there, a webhook's secret once it is a key") {
  constexpr std::string_view kToken = "sah-esle-ydobon-taht-nekot-a";
  constexpr std::string_view kSecret = "lNmbvBCdlJ3YlNHIhByc0NXZ0BiY1hWZyF2Q_ceshw";
  fakes::write_forwards(Read::folder.path() / "quiet.token", kToken);
  fakes::write_forwards(Read::folder.path() / "quiet.secret", kSecret);
  const Read read({{in, R"(kind = "http", port = 8081, token_file = "quiet.token")"},
                   {out, R"(kind = "webhook", url = "https://x/", secret_file = "quiet.secret")"}});
  INFO(read.faults);
  REQUIRE(read.count == 0);
  CHECK(std::get<HttpListenerOptions>(*read.transports[0]).tokens.size() == 1);
  CHECK(std::get<WebhookSenderOptions>(*read.transports[1]).signing_keys.size() == 1);
  CHECK(fakes::times_in_memory(kToken) == 0);
  CHECK(fakes::times_in_memory(kSecret) == 0);
}

TEST_CASE("a listener has several tokens, each in clear or as a hash, with its last day") {
  Read::folder.write_secret("old.token", "an-old-horse-of-16\n");
  Read::folder.write_secret("new.token",
                            "sha256:f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2\n");
  const auto read = [](const std::string& tokens) {
    return Read({{in, R"(kind = "http", port = 8081, address = "10.1.2.3", tokens = )" + tokens}});
  };
  const Read good = read(R"([{ file = "old.token", until = 2027-01-31 }, { file = "new.token" }])");
  INFO(good.faults);
  REQUIRE(good.count == 0);
  const auto& tokens = std::get<HttpListenerOptions>(*good.transports[0]).tokens;
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[0].until == "2027-01-31");
  CHECK(judge(tokens, "test\n", "192.0.2.7", SystemClock().now()) == TokenVerdict::good);
  CHECK(read(R"([{ file = "old.token", until = 2027-01 }])").count > 0);
  CHECK(read(R"([{ file = "old.token", until = "soon" }])").has("this is not a day"));
  CHECK(read(R"([{ file = "none.token" }])").has("none.token is missing"));
  CHECK(read("[]").has("there are no tokens"));
  const Read bound = read(R"([{ file = "old.token", from = ["192.0.2.0/24", "2001:db8::7"] }])");
  INFO(bound.faults);
  REQUIRE(bound.count == 0);
  const auto& only = std::get<HttpListenerOptions>(*bound.transports[0]).tokens;
  const auto worth = [&](const char* address) {
    return judge(only, "an-old-horse-of-16", address, SystemClock().now());
  };
  CHECK(worth("192.0.2.7") == TokenVerdict::good);
  CHECK(worth("2001:db8::7") == TokenVerdict::good);
  CHECK(worth("192.0.3.7") == TokenVerdict::elsewhere);
  // What cannot be read does not make a token good anywhere.
  CHECK(read(R"([{ file = "old.token", from = [] }])").has("no address is named"));
  CHECK(read(R"([{ file = "old.token", from = ["council.example"] }])").has("`council.example` is neither"));
  CHECK(read(R"([{ file = "old.token", from = "192.0.2.7" }])").count > 0);
  CHECK(read(R"([{ file = "old.token", form = ["192.0.2.7"] }])").has("from"));
  Read::folder.write_secret("new.token", "sha256:f2ca1bb6c7e907\n");
  CHECK(read(R"([{ file = "new.token" }])").has("64 hexadecimal digits"));
}

TEST_CASE("a secret is one printable line of sixteen characters or more, and is never shown") {
  struct Case {
    std::string text;
    bool good;
  };
  for (const Case& secret : {Case{"0123456789abcdef\r\n", true}, Case{"0123456789abcde\n", false},
                             Case{"0123456789abcdef\n0123456789abcdef\n", false}, Case{"", false},
                             Case{"0123456789 abcdef", false}, Case{std::string(4096, 'x'), true},
                             Case{std::string(4097, 'x'), false}}) {
    Read::folder.write_secret("it.token", secret.text);
    const Read read({{in, R"(kind = "http", port = 8081, token_file = "it.token")"}});
    INFO(read.faults);
    CHECK((read.count == 0) == secret.good);
    CHECK_FALSE(read.has("0123456789"));
  }
}

TEST_CASE("a token or webhook secret that others may read or change is a fault, and a closed one is none") {
  namespace fs = std::filesystem;
  Read::folder.write_secret("seen.token", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  const fs::path file = Read::folder.path() / "seen.token";
  const std::string http = R"(kind = "http", port = 8081, )";
  const std::string webhook = R"(kind = "webhook", url = "https://x/", )";
  const std::string listed = R"( = [{ file = "seen.token" }])";
  for (const auto& [direction, transport] :
       std::vector<std::pair<Direction, std::string>>{{in, http + R"(token_file = "seen.token")"},
                                                      {in, http + "tokens" + listed},
                                                      {out, webhook + R"(token_file = "seen.token")"},
                                                      {out, webhook + R"(secret_file = "seen.token")"},
                                                      {out, webhook + "secrets" + listed}}) {
    for (const fs::perms other : {fs::perms::group_read, fs::perms::others_read, fs::perms::group_write}) {
      fs::permissions(file, fs::perms::owner_read | other);
      const Read open({{direction, transport}});
      INFO(transport << "\n" << open.faults);
      CHECK(open.count == 1);
      CHECK(open.has("others may read or change the secret in " + file.string()));
      CHECK(open.has("chmod 600 " + file.string()));
      CHECK_FALSE(open.has("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    }
    // What systemd lays down for the service has its access list's bit.
    fs::permissions(file, fs::perms::owner_read | fs::perms::group_read);
    ::setenv("CREDENTIALS_DIRECTORY", Read::folder.path().c_str(), 1);
    const Read credential({{direction, transport}});
    ::unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(credential.count == 0);
    fs::permissions(file, fs::perms::owner_read);
    const Read closed({{direction, transport}});
    INFO(closed.faults);
    CHECK(closed.count == 0);
  }
}

TEST_CASE("a secret without a file's name is a fault: nobody posts without a token because of it") {
  for (const auto& [direction, transport] : std::vector<std::pair<Direction, std::string>>{
           {in, R"(kind = "http", address = "0.0.0.0", port = 8081, tokens = [{ file = "" }])"},
           {in, R"(kind = "http", address = "0.0.0.0", port = 8081, token_file = "")"},
           {out, R"(kind = "webhook", url = "https://x/", secrets = [{ file = "" }])"},
           {out, R"(kind = "webhook", url = "https://x/", secret_file = "")"},
           {out, R"(kind = "webhook", url = "https://x/", token_file = "")"}}) {
    const Read read({{direction, transport}});
    INFO(transport << "\n" << read.faults);
    CHECK(read.count == 1);
    const bool listed = transport.find("[{") != std::string::npos;
    CHECK(read.has(listed ? "`file` is empty" : "the file of the secret has no name"));
  }
}

TEST_CASE("a port is one channel's, whatever the address and the kind") {
  const Read read({{in, R"(kind = "mllp", port = 2575)"},
                   {in, R"(kind = "http", port = 2575, address = "127.0.0.2")"},
                   {in, R"(kind = "mllp", port = 2576)"}});
  CHECK(read.count == 1);
  CHECK(read.has("port 2575 is taken by the channel at hub.toml:2"));
}

TEST_CASE("two writers may share a folder, a reader shares with nobody") {
  const std::string reader = R"(kind = "folder", directory = "files")";
  const std::string writer = R"(kind = "folder", directory = "./x/../files", name = "{id}.csv")";
  CHECK(Read({{out, writer}, {out, writer}}).count == 0);
  CHECK(Read({{out, writer}, {in, reader}}).has("the folder is used by the channel at"));
  CHECK(Read({{in, reader}, {in, reader}}).has("the folder is used by the channel at"));
}

TEST_CASE("a writer into a reader's folder is found in either order") {
  const std::string reader = R"(kind = "folder", directory = "files")";
  const std::string writer = R"(kind = "folder", directory = "files", name = "{id}.csv")";
  CHECK(Read({{in, reader}, {out, writer}}).has("the folder is used by the channel at"));
}

TEST_CASE("a transport of the other direction or of no kind is named with what there is") {
  CHECK(Read({{out, R"(kind = "mllp", port = 1)"}}).has("There are webhook or folder") == false);
  CHECK(Read({{out, R"(kind = "mllp", port = 1)"}}).has("Write webhook or folder"));
  CHECK(Read({{in, R"(kind = "htp", port = 1)"}}).has("Did you mean `http`? There are mllp, http or folder"));
  const Read none({{in, "port = 1"}});
  CHECK(none.count == 1);
  CHECK_FALSE(none.transports[0]);
}

TEST_CASE("a file is left alone for five seconds after its last byte, unless the channel says otherwise") {
  const std::string reader = R"(kind = "folder", directory = "files")";
  const auto quiet_ms = [&](const std::string& more) {
    const Read read({{in, reader + more}});
    INFO(read.faults);
    REQUIRE(read.count == 0);
    return std::get<FolderReaderOptions>(*read.transports[0]).quiet_ms;
  };
  CHECK(quiet_ms("") == 5'000);
  CHECK(quiet_ms(", quiet_ms = 0") == 0);
  CHECK(quiet_ms(", quiet_ms = 60000") == 60'000);
  CHECK(Read({{in, reader + ", quiet_ms = -1"}}).count == 1);
  CHECK(Read({{in, reader + ", quiet_ms = 3600001"}}).has("quiet_ms"));
  CHECK(Read({{in, reader + ", quite_ms = 0"}}).has("Did you mean `quiet_ms`?"));
}

TEST_CASE("relative paths start at the configuration's folder, absolute ones stay") {
  const TransportReader reader("/srv/carehub");
  CHECK(reader.beside("keys/../x.pem") == "/srv/carehub/x.pem");
  CHECK(reader.beside("/etc/x.pem") == "/etc/x.pem");
}

}  // namespace
}  // namespace carehub::adapters
