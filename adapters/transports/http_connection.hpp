#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/transports/http_listener.hpp"
#include "adapters/transports/peer_log.hpp"
#include "adapters/transports/peer_stream.hpp"

namespace carehub::adapters {

/// What is to be read at a path. Other statuses than 200 have a sentence of ours as their body.
struct HttpPage {
  unsigned status = 200;
  std::string media_type;
  std::string cache;  // Cache-Control
  std::string body;
};

/// A request whole, for who answers requests by himself.
struct HttpRequest {
  std::string method;
  std::string path;                                 // without a query
  std::string peer;                                 // address and port
  std::map<std::string, std::string> headers = {};  // names in lower case; of several, the last
  Bytes body = {};
  std::string query = {};  // behind the path's question mark
};

struct HttpAnswer {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

/// What the connections of one listener share.
struct HttpService {
  HttpListenerOptions options;
  Receive receive;
  std::shared_ptr<TlsServer> tls = {};  // nullptr: bytes are plain
  /// Set: there is nothing to post here, and GET of any path is answered with what this gives.
  std::function<void(const std::string& path, std::function<void(HttpPage)> done)> look_up = {};
  /// Set: every request but that of /healthz is answered with what this gives, by any thread. What bytes of
  /// it were held is wiped then, as they may be secrets.
  std::function<void(HttpRequest request, std::function<void(HttpAnswer)> done)> answer = {};
  std::map<TokenVerdict, std::uint64_t> unauthorised = {};
  PeerLog log;
  // Of bodies that are being read or decided on. Atomic: an answer from another thread may be a connection's
  // last.
  std::atomic<std::size_t> held_bytes{0};

  void warn(const std::string& peer, const char* what) { log.warn(options.channel, peer, what); }
};

/// One HTTP connection: a coroutine that takes one request after the other. Runs on the IoThread only.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Parser = boost::beast::http::request_parser<boost::beast::http::vector_body<std::uint8_t>>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  HttpConnection(PeerStream::Socket socket, std::shared_ptr<HttpService> service);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void start();
  /// Closes once the request under way, if any, is answered.
  void finish();
  void close();
  bool open() const;
  /// Since when it waits for its peer: for a request, the rest of one, or until its answer is read; nullopt
  /// while the hub has its request.
  std::optional<std::chrono::steady_clock::time_point> idle_since() const;
  /// Closes for another connection to come in.
  void make_room();

 private:
  boost::asio::awaitable<void> serve();
  /// One request and its answer; whether another may follow.
  boost::asio::awaitable<bool> exchange();
  /// What is to be answered when the body cannot be had; nullopt once `parser` has all of it, or `error` says
  /// that nobody is there to read an answer.
  boost::asio::awaitable<std::optional<Response>> read_body(Parser& parser, boost::system::error_code& error);
  void hold(std::size_t bytes);
  /// What can be answered from the header alone.
  std::optional<Response> early_answer(const Parser::value_type& request) const;
  std::optional<Response> early_answer_to_reader(const Parser::value_type& request) const;
  boost::asio::awaitable<Response> ask_hub(Parser::value_type request);
  boost::asio::awaitable<Response> look_up(std::string path);
  boost::asio::awaitable<Response> ask_owner(Parser::value_type request);
  void wipe_buffer();
  template <class Outcome>
  boost::asio::awaitable<void> wait_for(std::shared_ptr<std::optional<Outcome>> outcome);
  boost::asio::awaitable<bool> write(Response response);
  boost::asio::awaitable<void> linger();
  bool authorised(const Parser::value_type& request) const;
  void expire_soon();

  std::shared_ptr<HttpService> service_;
  PeerStream stream_;
  std::string peer_;
  std::string address_;  // of the peer, without its port
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer answered_;
  std::chrono::steady_clock::time_point idle_since_ = std::chrono::steady_clock::now();
  bool hub_has_it_ = false;
  std::size_t held_bytes_ = 0;  // our part of what the service holds
  bool in_exchange_ = false;
  bool finishing_ = false;
};

}  // namespace carehub::adapters
