#include "adapters/transports/peer_stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace carehub::adapters {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

TlsRefusal cause_of(const SSL* session, const error_code& error) {
  if (error == boost::beast::error::timeout) return TlsRefusal::too_slow;
  if (error.category() == asio::error::get_ssl_category())
    return tls_refusal(session, static_cast<unsigned long>(error.value()));
  return TlsRefusal::gave_up;
}

}  // namespace

PeerStream::PeerStream(Socket socket, std::shared_ptr<TlsServer> server)
    : tcp_(std::move(socket)), server_(std::move(server)) {
  if (!server_) return;
  SSL* session = server_->session();
  if (session == nullptr) {
    close();  // no memory left
  } else {
    tls_.emplace(tcp_, session);
  }
}

void PeerStream::close() {
  error_code ignored;
  tcp_.socket().shutdown(Socket::shutdown_both, ignored);
  tcp_.close();
}

asio::awaitable<bool> PeerStream::meet(const std::string& peer) {
  if (!server_) co_return true;
  if (!tls_) co_return false;
  error_code error;
  tcp_.expires_after(server_->handshake_time());
  co_await tls_->async_handshake(asio::ssl::stream_base::server,
                                 asio::redirect_error(asio::use_awaitable, error));
  tcp_.expires_never();
  if (error) {
    server_->refused(peer, cause_of(tls_->native_handle(), error));
    co_return false;
  }
  if (!server_->knows(tls_->native_handle())) {
    server_->refused(peer, TlsRefusal::not_named);
    co_return false;
  }
  server_->let_in();
  co_return true;
}

asio::awaitable<void> PeerStream::say_goodbye(std::chrono::milliseconds time) {
  error_code ignored;
  tcp_.expires_after(time);
  if (tls_) co_await tls_->async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
  tcp_.socket().shutdown(Socket::shutdown_send, ignored);
}

}  // namespace carehub::adapters
