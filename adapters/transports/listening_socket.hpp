#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::adapters {

/// A bound, listening socket. Error `unavailable` names address, port, channel and remedy; `invalid`: no IP
/// address.
Result<boost::asio::ip::tcp::acceptor> listen_on(boost::asio::io_context& context, const std::string& channel,
                                                 const std::string& address, std::uint16_t port);

/// "10.1.2.3:40112", or "unknown" when the peer has gone.
std::string peer_name(const boost::asio::ip::tcp::socket& socket);

/// The same without its port; empty when the peer has gone.
std::string peer_address(const boost::asio::ip::tcp::socket& socket);

/// Nagle off (answers are small and awaited) and keepalive on (a peer that lost power is noticed).
void set_options(boost::asio::ip::tcp::socket& socket);

}  // namespace carehub::adapters
