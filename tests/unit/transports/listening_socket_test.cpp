#include "adapters/transports/listening_socket.hpp"

#include <netinet/tcp.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "tests/fakes/tcp_peer.hpp"

namespace carehub::adapters {
namespace {

using boost::asio::ip::tcp;
using fakes::TcpPeer;

TEST_CASE("a peer is named by address and port, and unknown once it has gone") {
  boost::asio::io_context context;
  auto listening = listen_on(context, "elwick-adt", "127.0.0.1", 0);
  REQUIRE(listening);
  const TcpPeer peer = TcpPeer::connect(listening->local_endpoint().port());
  tcp::socket socket = listening->accept();
  CHECK(peer_name(socket).starts_with("127.0.0.1:"));
  socket.close();
  CHECK(peer_name(socket) == "unknown");
  set_options(socket);  // of a socket that is closed already: no harm
}

TEST_CASE("answers leave at once and a peer that lost power is noticed") {
  boost::asio::io_context context;
  auto listening = listen_on(context, "elwick-adt", "127.0.0.1", 0);
  REQUIRE(listening);
  const TcpPeer peer = TcpPeer::connect(listening->local_endpoint().port());
  tcp::socket socket = listening->accept();
  set_options(socket);
  tcp::no_delay no_delay;
  boost::asio::socket_base::keep_alive keep_alive;
  socket.get_option(no_delay);
  socket.get_option(keep_alive);
  CHECK(no_delay.value());
  CHECK(keep_alive.value());
  int idle_s = 0;
  socklen_t size = sizeof idle_s;
  REQUIRE(::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &size) == 0);
  CHECK(idle_s == 60);
}

TEST_CASE("a port is free again as soon as its listener has closed") {
  boost::asio::io_context context;
  auto listening = listen_on(context, "elwick-adt", "127.0.0.1", 0);
  REQUIRE(listening);
  const std::uint16_t port = listening->local_endpoint().port();
  {
    TcpPeer peer = TcpPeer::connect(port);
    tcp::socket socket = listening->accept();
  }
  listening->close();
  CHECK(listen_on(context, "elwick-adt", "127.0.0.1", port));
}

TEST_CASE("a listener that cannot be is refused with channel, address and remedy") {
  boost::asio::io_context context;
  const auto taken = listen_on(context, "elwick-adt", "127.0.0.1", 0);
  REQUIRE(taken);
  struct Case {
    const char* address;
    std::uint16_t port;
    ErrorKind kind;
    const char* text;
  };
  for (const Case& wrong :
       {Case{"127.0.0.1", taken->local_endpoint().port(), ErrorKind::unavailable,
             "Stop the program that has the port"},
        Case{"192.0.2.1", 0, ErrorKind::unavailable, "Give an address that this machine has"},
        Case{"localhost", 0, ErrorKind::invalid, "`localhost` is not an IP address"},
        Case{"", 0, ErrorKind::invalid, "is not an IP address"}}) {
    const auto listening = listen_on(context, "fenbrook-adt", wrong.address, wrong.port);
    INFO(wrong.address);
    REQUIRE_FALSE(listening);
    CHECK(listening.error().kind == wrong.kind);
    CHECK(listening.error().text.find("channel fenbrook-adt") == 0);
    CHECK(listening.error().text.find(wrong.text) != std::string::npos);
  }
}

}  // namespace
}  // namespace carehub::adapters
