#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "adapters/transports/tls_server.hpp"

namespace carehub::adapters {

/// The bytes of one connection that came in, plain or through TLS, for Asio's and Beast's reading and
/// writing. On the IoThread only.
class PeerStream {
 public:
  using Tcp = boost::beast::tcp_stream;
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Tcp::executor_type;

  /// Without `server` the bytes are plain.
  PeerStream(Socket socket, std::shared_ptr<TlsServer> server);

  executor_type get_executor() { return tcp_.get_executor(); }
  Socket& socket() { return tcp_.socket(); }
  const Socket& socket() const { return tcp_.socket(); }
  /// What carries it: after a goodbye only what comes here can be waited for.
  Tcp& beneath() { return tcp_; }
  void expires_after(std::chrono::milliseconds time) { tcp_.expires_after(time); }
  /// Ends whatever is under way.
  void close();

  /// The handshake, where there is one, in its time; whether this client may go on. To come before all else.
  boost::asio::awaitable<bool> meet(const std::string& peer);
  /// Tells the other side that nothing more comes, so that it knows that nothing was cut off; nothing else is
  /// to be under way.
  boost::asio::awaitable<void> say_goodbye(std::chrono::milliseconds time);

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& into) {
          tls_ ? tls_->async_read_some(into, std::move(handler))
               : tcp_.async_read_some(into, std::move(handler));
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          tls_ ? tls_->async_write_some(from, std::move(handler))
               : tcp_.async_write_some(from, std::move(handler));
        },
        token, buffers);
  }

 private:
  Tcp tcp_;
  std::shared_ptr<TlsServer> server_;
  std::optional<boost::asio::ssl::stream<Tcp&>> tls_;
};

}  // namespace carehub::adapters
