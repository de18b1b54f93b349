#include "adapters/transports/http_connection.hpp"

#include <string.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

#include "adapters/transports/listening_socket.hpp"

namespace carehub::adapters {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;
using Response = HttpConnection::Response;

constexpr std::chrono::seconds kRetryAfter{1};

Response json(http::status status, std::string body) {
  Response response(status, 11);
  response.set(http::field::content_type, "application/json");
  response.body() = std::move(body);
  return response;
}

/// Texts are ours alone: nothing of the request is repeated.
Response problem(http::status status, std::string_view text) {
  return json(status, R"({"error":")" + std::string(http::obsolete_reason(status)) + R"(","text":")" +
                          std::string(text) + "\"}\n");
}

Response try_again(std::string_view text) {
  Response response = problem(http::status::service_unavailable, text);
  response.set(http::field::retry_after, std::to_string(kRetryAfter.count()));
  return response;
}

/// application/json and every application/...+json (CloudEvents), whatever the parameters.
bool is_json(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

std::string_view path_of(const HttpConnection::Parser::value_type& request) {
  const std::string_view target(request.target().data(), request.target().size());
  return target.substr(0, target.find('?'));
}

std::optional<Response> answer_to_broken(const error_code& error) {
  if (error == http::error::body_limit)
    return problem(http::status::payload_too_large, "The body is over the limit");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return problem(http::status::request_header_fields_too_large, "The header is over the limit");
  }
  if (error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return problem(http::status::bad_request, "This is not an HTTP/1.1 request");
  }
  return std::nullopt;  // nobody is there to read an answer
}

}  // namespace

HttpConnection::HttpConnection(PeerStream::Socket socket, std::shared_ptr<HttpService> service)
    : service_(std::move(service)),
      stream_(std::move(socket), service_->tls),
      peer_(peer_name(stream_.socket())),
      address_(peer_address(stream_.socket())),
      answered_(stream_.get_executor()) {
  set_options(stream_.socket());
  // Never grows then: what it grew out of would not be wiped.
  if (service_->answer)
    buffer_.reserve(service_->options.header_bytes_max + service_->options.body_bytes_max);
}

HttpConnection::~HttpConnection() { service_->held_bytes -= held_bytes_; }

void HttpConnection::start() {
  asio::co_spawn(
      stream_.get_executor(), [self = shared_from_this()] { return self->serve(); }, asio::detached);
}

asio::awaitable<void> HttpConnection::serve() {
  const auto self = shared_from_this();
  if (co_await stream_.meet(peer_)) {
    while (!finishing_ && co_await exchange()) {
    }
  }
  close();
}

asio::awaitable<bool> HttpConnection::exchange() {
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(service_->options.header_bytes_max));
  parser.body_limit(service_->options.body_bytes_max);
  error_code error;
  expire_soon();
  co_await http::async_read_header(stream_, buffer_, parser, redirect_error(use_awaitable, error));
  in_exchange_ = true;
  idle_since_ = std::chrono::steady_clock::now();
  std::optional<Response> answer;
  if (error) {
    answer = answer_to_broken(error);
    if (answer) answer->keep_alive(false);
  } else {
    answer = early_answer(parser.get());
    // The body of what is turned away is not read, so nothing may follow on this connection.
    if (answer) answer->keep_alive(parser.is_done() && parser.get().keep_alive());
  }
  if (!answer) {
    if (error) co_return false;
    answer = co_await read_body(parser, error);
    if (error) co_return false;
  }
  if (!answer) {
    const bool keep_alive = parser.get().keep_alive();
    hub_has_it_ = true;
    if (service_->answer) {
      answer = co_await ask_owner(parser.release());
    } else if (service_->look_up) {
      answer = co_await look_up(std::string(path_of(parser.get())));
    } else {
      answer = co_await ask_hub(parser.release());
    }
    hub_has_it_ = false;
    idle_since_ = std::chrono::steady_clock::now();
    answer->keep_alive(keep_alive);
  }
  if (finishing_) answer->keep_alive(false);
  hold(0);
  const bool more = co_await write(std::move(*answer));
  in_exchange_ = false;
  idle_since_ = std::chrono::steady_clock::now();
  co_return more;
}

asio::awaitable<std::optional<Response>> HttpConnection::read_body(Parser& parser, error_code& error) {
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    Response go_on(http::status::continue_, 11);
    co_await http::async_write(stream_, go_on, redirect_error(use_awaitable, error));
  }
  parser.eager(true);
  std::optional<Response> answer;
  while (!error && !answer && !parser.is_done()) {
    co_await http::async_read_some(stream_, buffer_, parser, redirect_error(use_awaitable, error));
    hold(parser.get().body().size());
    if (error || service_->held_bytes <= service_->options.memory_bytes_max) continue;
    service_->warn(peer_, "all requests together hold as much as they may: this one is answered 503");
    answer = try_again("The hub has too much to read at once. Post the same again");
  }
  if (error) {
    answer = answer_to_broken(error);
    if (answer) error = {};
  }
  if (answer) answer->keep_alive(false);  // the rest of the body is not read
  co_return answer;
}

void HttpConnection::hold(std::size_t bytes) {
  service_->held_bytes += bytes - held_bytes_;  // wraps around where it is less
  held_bytes_ = bytes;
}

std::optional<Response> HttpConnection::early_answer(const Parser::value_type& request) const {
  const std::string_view path = path_of(request);
  if (path == "/healthz" && request.method() == http::verb::get)
    return json(http::status::ok, "{\"status\":\"ok\"}\n");
  if (service_->answer) {
    if (!request.chunked()) return std::nullopt;
    return problem(http::status::length_required, "Send Content-Length");
  }
  if (service_->look_up) return early_answer_to_reader(request);
  if (path != service_->options.path)
    return problem(http::status::not_found, "Nothing is served at this path");
  if (request.method() != http::verb::post) {
    Response response = problem(http::status::method_not_allowed, "Use POST");
    response.set(http::field::allow, "POST");
    return response;
  }
  if (!authorised(request)) {
    Response response =
        problem(http::status::unauthorized, "Send this channel's token as Authorization: Bearer");
    response.set(http::field::www_authenticate, "Bearer");
    return response;
  }
  const auto type = request[http::field::content_type];
  if (!is_json({type.data(), type.size()})) {
    return problem(http::status::unsupported_media_type, "Send Content-Type: application/json");
  }
  if (!request.chunked() && !request.has_content_length()) {
    return problem(http::status::length_required, "Send Content-Length or Transfer-Encoding: chunked");
  }
  return std::nullopt;
}

std::optional<Response> HttpConnection::early_answer_to_reader(const Parser::value_type& request) const {
  if (request.method() != http::verb::get) {
    Response response = problem(http::status::method_not_allowed, "Use GET");
    response.set(http::field::allow, "GET");
    return response;
  }
  const auto length = request[http::field::content_length];
  if (request.chunked() || (!length.empty() && length != "0"))
    return problem(http::status::bad_request, "Send no body with GET");
  return std::nullopt;
}

bool HttpConnection::authorised(const Parser::value_type& request) const {
  const auto& tokens = service_->options.tokens;
  if (tokens.empty()) return true;
  const auto field = request[http::field::authorization];
  const std::string_view given(field.data(), field.size());
  constexpr std::string_view kScheme = "bearer ";
  TokenVerdict verdict = TokenVerdict::unknown;
  if (beast::iequals(field.substr(0, kScheme.size()), boost::core::string_view(kScheme)))
    verdict = judge(tokens, given.substr(kScheme.size()), address_, SystemClock().now());
  if (verdict == TokenVerdict::good) return true;
  // All have the same answer: who stole a token is not told what is wrong with it.
  ++service_->unauthorised[verdict];
  service_->warn(peer_, verdict == TokenVerdict::ended ? "a token that has ended: answered 401"
                        : verdict == TokenVerdict::elsewhere
                            ? "a token from an address that is not in its `from`: answered 401"
                            : "no token of this channel: answered 401");
  return false;
}

asio::awaitable<Response> HttpConnection::ask_hub(Parser::value_type request) {
  Arrival arrival{SystemClock().now(), service_->options.path, {}};
  for (const auto& field : request) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (name != "authorization") arrival.headers[name] = std::string(field.value());
  }
  const auto outcome = std::make_shared<std::optional<TransportReply>>();
  answered_.expires_after(std::chrono::milliseconds(service_->options.timeout_ms));
  service_->receive(std::move(request.body()), std::move(arrival),
                    [weak = weak_from_this(), outcome](TransportReply reply) {
                      const auto self = weak.lock();
                      if (self == nullptr) return;
                      asio::dispatch(self->stream_.get_executor(),
                                     [self, outcome, reply = std::move(reply)]() mutable {
                                       *outcome = std::move(reply);
                                       self->answered_.cancel();
                                     });
                    });
  co_await wait_for(outcome);
  if (!*outcome) co_return try_again("The hub has not answered in time. Post the same again");
  const TransportReply& reply = **outcome;
  if (reply.busy) co_return try_again("The hub cannot take this now. Post the same again");
  std::string body;
  for (const Bytes& message : reply.messages) body += text_of(message);
  co_return json(static_cast<http::status>(http_status(reply.results)), std::move(body));
}

asio::awaitable<Response> HttpConnection::look_up(std::string path) {
  const auto outcome = std::make_shared<std::optional<HttpPage>>();
  answered_.expires_after(std::chrono::milliseconds(service_->options.timeout_ms));
  service_->look_up(path, [weak = weak_from_this(), outcome](HttpPage page) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    asio::dispatch(self->stream_.get_executor(), [self, outcome, page = std::move(page)]() mutable {
      *outcome = std::move(page);
      self->answered_.cancel();
    });
  });
  co_await wait_for(outcome);
  if (!*outcome) co_return try_again("The hub has not answered in time. Ask again");
  HttpPage& page = **outcome;
  if (page.status == static_cast<unsigned>(http::status::service_unavailable)) co_return try_again(page.body);
  if (page.status != static_cast<unsigned>(http::status::ok))
    co_return problem(static_cast<http::status>(page.status), page.body);
  Response response(http::status::ok, 11);
  response.set(http::field::content_type, page.media_type);
  response.set(http::field::cache_control, page.cache);
  response.body() = std::move(page.body);
  co_return response;
}

asio::awaitable<Response> HttpConnection::ask_owner(Parser::value_type request) {
  HttpRequest asked{std::string(request.method_string()), std::string(path_of(request)), peer_};
  for (const auto& field : request) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    asked.headers[name] = std::string(field.value());
  }
  const std::string_view target(request.target().data(), request.target().size());
  if (asked.path.size() < target.size()) asked.query = target.substr(asked.path.size() + 1);
  asked.body = std::move(request.body());
  wipe_buffer();
  const auto outcome = std::make_shared<std::optional<HttpAnswer>>();
  answered_.expires_after(std::chrono::milliseconds(service_->options.timeout_ms));
  service_->answer(std::move(asked), [weak = weak_from_this(), outcome](HttpAnswer answer) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    asio::dispatch(self->stream_.get_executor(), [self, outcome, answer = std::move(answer)]() mutable {
      *outcome = std::move(answer);
      self->answered_.cancel();
    });
  });
  co_await wait_for(outcome);
  if (!*outcome) co_return try_again("There is no answer in time. Ask again");
  Response response(static_cast<http::status>((*outcome)->status), 11);
  for (const auto& [name, value] : (*outcome)->headers) response.insert(name, value);
  response.body() = std::move((*outcome)->body);
  co_return response;
}

/// What was read before is in there still.
void HttpConnection::wipe_buffer() {
  const auto room = buffer_.prepare(buffer_.capacity() - buffer_.size());
  ::explicit_bzero(room.data(), room.size());
}

template <class Outcome>
asio::awaitable<void> HttpConnection::wait_for(std::shared_ptr<std::optional<Outcome>> outcome) {
  error_code ignored;
  // An answer to an earlier request that came too late may wake us for nothing.
  while (!*outcome && open() && answered_.expiry() > std::chrono::steady_clock::now()) {
    co_await answered_.async_wait(redirect_error(use_awaitable, ignored));
  }
}

asio::awaitable<bool> HttpConnection::write(Response response) {
  response.set(http::field::server, "Carehub");
  response.prepare_payload();
  const bool keep_alive = response.keep_alive();
  error_code error;
  expire_soon();
  co_await http::async_write(stream_, response, redirect_error(use_awaitable, error));
  if (!error && !keep_alive) co_await linger();
  co_return !error && keep_alive;
}

/// Closing with unread bytes would reset the connection and could take our answer with it (RFC 9112
/// section 9.6).
asio::awaitable<void> HttpConnection::linger() {
  const std::chrono::milliseconds time(std::min(service_->options.timeout_ms, 1000U));
  co_await stream_.say_goodbye(time);
  error_code error;
  std::array<char, 4096> rest;
  std::size_t total = 0;
  while (!error && total < service_->options.body_bytes_max) {
    total +=
        co_await stream_.beneath().async_read_some(asio::buffer(rest), redirect_error(use_awaitable, error));
  }
}

void HttpConnection::expire_soon() {
  stream_.expires_after(std::chrono::milliseconds(service_->options.timeout_ms));
}

void HttpConnection::finish() {
  finishing_ = true;
  if (!in_exchange_) close();
}

std::optional<std::chrono::steady_clock::time_point> HttpConnection::idle_since() const {
  if (!open() || hub_has_it_ || finishing_) return std::nullopt;
  return idle_since_;
}

void HttpConnection::make_room() {
  service_->warn(peer_, "too many connections: this one, waited for longest, is closed for another");
  close();
}

void HttpConnection::close() {
  stream_.close();
  answered_.cancel();
}

bool HttpConnection::open() const { return stream_.socket().is_open(); }

}  // namespace carehub::adapters
