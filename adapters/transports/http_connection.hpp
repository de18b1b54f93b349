#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <memory>
#include <optional>

#include "adapters/transports/http_listener.hpp"

namespace carehub::adapters {

/// What the connections of one listener share.
struct HttpService {
  HttpListenerOptions options;
  Receive receive;
};

/// One HTTP connection: a coroutine that takes one request after the other. Runs on the IoThread only.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Stream = boost::beast::tcp_stream;  // the seam for TLS
  using Parser = boost::beast::http::request_parser<boost::beast::http::vector_body<std::uint8_t>>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  HttpConnection(Stream::socket_type socket, std::shared_ptr<HttpService> service);

  void start();
  /// Closes once the request under way, if any, is answered.
  void finish();
  void close();
  bool open() const;

 private:
  boost::asio::awaitable<void> serve();
  /// One request and its answer; whether another may follow.
  boost::asio::awaitable<bool> exchange();
  /// What can be answered from the header alone.
  std::optional<Response> early_answer(const Parser::value_type& request) const;
  boost::asio::awaitable<Response> ask_hub(Parser::value_type request);
  boost::asio::awaitable<bool> write(Response response);
  boost::asio::awaitable<void> linger();
  bool authorised(const Parser::value_type& request) const;
  void expire_soon();

  Stream stream_;
  std::shared_ptr<HttpService> service_;
  std::string peer_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer answered_;
  bool in_exchange_ = false;
  bool finishing_ = false;
};

}  // namespace carehub::adapters
