#include "adapters/transports/listening_socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

namespace carehub::adapters {

namespace asio = boost::asio;
using asio::ip::tcp;

Result<tcp::acceptor> listen_on(asio::io_context& context, const std::string& channel,
                                const std::string& address, std::uint16_t port) {
  boost::system::error_code error;
  const asio::ip::address ip = asio::ip::make_address(address, error);
  if (error) {
    return fail(ErrorKind::invalid, "channel " + channel + ": `" + address +
                                        "` is not an IP address. Give one of this machine, 0.0.0.0 or ::");
  }
  const tcp::endpoint endpoint(ip, port);
  tcp::acceptor acceptor(context);
  const char* remedy = "Check the address and the rights of this user";
  if (!error) acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) return acceptor;
  if (error == asio::error::address_in_use)
    remedy = "Stop the program that has the port, or give the channel another";
  if (error == asio::error::access_denied)
    remedy = "Choose a port above 1023, or allow this user to bind lower ones";
  if (error == boost::system::errc::address_not_available) remedy = "Give an address that this machine has";
  return fail(ErrorKind::unavailable, "channel " + channel + " cannot listen on " + address + ":" +
                                          std::to_string(port) + ": " + error.message() + ". " + remedy);
}

std::string peer_name(const tcp::socket& socket) {
  boost::system::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "unknown";
  return peer.address().to_string() + ":" + std::to_string(peer.port());
}

std::string peer_address(const tcp::socket& socket) {
  boost::system::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  return error ? std::string() : peer.address().to_string();
}

void set_options(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  // A peer that lost its power is known within two minutes; the system's own settings keep its place for two
  // hours.
  const std::pair<int, int> settings[] = {
      {TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 15}, {TCP_KEEPCNT, 4}, {TCP_USER_TIMEOUT, 120'000}};
  for (const auto& [name, value] : settings)
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value);
}

}  // namespace carehub::adapters
