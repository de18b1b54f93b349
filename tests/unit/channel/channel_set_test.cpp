#include "adapters/channel/channel_set.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/free_port.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::free_port;
using fakes::TcpPeer;
using fakes::TemporaryFolder;

ChannelConfig inbound(const std::string& name, std::uint16_t port) {
  ChannelConfig config;
  config.name = name;
  config.agency = "elwick-hospital";
  config.pack = std::make_shared<Pack>();
  MllpListenerOptions mllp;
  mllp.channel = name;
  mllp.port = port;
  mllp.stop_ms = 100;
  config.transport = mllp;
  return config;
}

/// A hub that is not there: channels start without it and wait.
client::ClientOptions absent_hub(const TemporaryFolder& folder) {
  client::ClientOptions options;
  options.endpoint = "ipc://" + (folder.path() / "hub.sock").string();
  return options;
}

TEST_CASE("channels listen before the hub is there, and stop when told") {
  TemporaryFolder folder;
  const std::uint16_t port = free_port();
  auto set = ChannelSet::start({inbound("elwick-adt", port)}, absent_hub(folder));
  REQUIRE(set);
  const auto status = (*set)->status();
  REQUIRE(status.size() == 1);
  CHECK(status[0].name == "elwick-adt");
  CHECK_FALSE(status[0].connected);
  TcpPeer peer = TcpPeer::connect(port);
  (*set)->stop();
  CHECK(peer.closed_by_peer());
  CHECK_THROWS(TcpPeer::connect(port));
}

TEST_CASE("when one channel cannot start, none is left running") {
  TemporaryFolder folder;
  const std::uint16_t port = free_port();
  const auto set =
      ChannelSet::start({inbound("elwick-adt", port), inbound("fenbrook-adt", port)}, absent_hub(folder));
  REQUIRE_FALSE(set);
  CHECK(set.error().kind == ErrorKind::unavailable);
  CHECK(set.error().text.find("channel fenbrook-adt cannot listen on 127.0.0.1:" + std::to_string(port)) ==
        0);
  CHECK_THROWS(TcpPeer::connect(port));
}

TEST_CASE("secrets are taken by the webhooks whose URL they are for, and by no shadow") {
  TemporaryFolder folder;
  const auto webhook = [](const std::string& name, const std::string& url) {
    ChannelConfig config;
    config.name = name;
    config.agency = "northmarch-council";
    config.direction = Direction::out;
    WebhookSenderOptions options;
    options.channel = name;
    options.url = url;
    config.transport = options;
    return config;
  };
  const auto desk = webhook("desk", "https://desk.example/");
  auto shadow = webhook("shadow", "https://desk.example/");
  shadow.shadow = folder.path();
  auto set = ChannelSet::start({desk, webhook("moved", "https://old.example/"), shadow}, absent_hub(folder));
  REQUIRE(set);
  CHECK((*set)->take_secrets({desk, webhook("moved", "https://new.example/"), shadow,
                              webhook("new", "https://desk.example/")}) == 1);
}

TEST_CASE("a channel whose transport goes the other way is not built") {
  TemporaryFolder folder;
  ChannelConfig config = inbound("elwick-adt", 0);
  config.direction = Direction::out;
  const auto set = ChannelSet::start({config}, absent_hub(folder));
  REQUIRE_FALSE(set);
  CHECK(set.error().kind == ErrorKind::invalid);
}

TEST_CASE("the hub's tiles are served beside the channels, and end with them") {
  TemporaryFolder folder;
  TileListenerOptions tiles;
  tiles.port = free_port();
  auto set = ChannelSet::start({}, absent_hub(folder), tiles);
  REQUIRE(set);
  TcpPeer peer = TcpPeer::connect(tiles.port);
  peer.send("GET /checkpoint HTTP/1.1\r\nHost: log\r\n\r\n");
  CHECK(peer.receive_until("\r\n\r\n").starts_with("HTTP/1.1 503 "));
  const auto second = ChannelSet::start({}, absent_hub(folder), tiles);
  REQUIRE_FALSE(second);
  CHECK(second.error().text.find("tiles cannot listen on 127.0.0.1:" + std::to_string(tiles.port)) !=
        std::string::npos);
  (*set)->stop();
  CHECK_THROWS(TcpPeer::connect(tiles.port));
}

}  // namespace
}  // namespace carehub::adapters
