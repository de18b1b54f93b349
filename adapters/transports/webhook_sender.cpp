#include "adapters/transports/webhook_sender.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <chrono>
#include <deque>
#include <list>
#include <optional>

#include "adapters/transports/io_context.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

using PlainStream = beast::tcp_stream;
using Clock = std::chrono::steady_clock;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Request = http::request<http::vector_body<std::uint8_t>>;

constexpr std::size_t kAnswerBytesMax = 1U
                                        << 20U;  // what a partner says beyond the status is not read further

SendResult unavailable(std::string code) { return {ledger::NakKind::unavailable, std::move(code), 0}; }

/// A stable word for what went wrong below HTTP.
std::string fault_of(const error_code& error) {
  if (error == beast::error::timeout || error == asio::error::timed_out) return "timeout";
  if (error == asio::error::connection_refused) return "connection refused";
  if (error == asio::error::access_denied) return "address not allowed";
  if (error == asio::error::operation_aborted) return "stopping";
  if (error == asio::error::host_unreachable || error == asio::error::network_unreachable)
    return "unreachable";
  if (error.category() == asio::error::get_netdb_category() ||
      error.category() == asio::error::get_addrinfo_category()) {
    return "host not found";
  }
  if (error.category() == asio::error::get_ssl_category()) return "tls";
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe ||
      error == asio::error::eof || error == http::error::end_of_stream ||
      error == http::error::partial_message) {
    return "connection lost";
  }
  return "not http";
}

}  // namespace

struct WebhookSender::Impl : std::enable_shared_from_this<WebhookSender::Impl> {
  struct Job {
    Rendered message;
    std::function<void(SendResult)> done;
  };
  /// One connection, which is opened when it is needed. Either plain or tls is set while it is open.
  struct Line : std::enable_shared_from_this<Line> {
    explicit Line(asio::io_context& context) : wake(context) {}
    asio::steady_timer wake;
    std::optional<PlainStream> plain;
    std::optional<TlsStream> tls;
    beast::flat_buffer buffer;
    bool idle = false;

    beast::tcp_stream& lowest() { return tls ? beast::get_lowest_layer(*tls) : *plain; }
    bool open() const { return plain || tls; }
    void close() {
      wake.cancel();
      if (open()) lowest().close();
    }
    void forget() {
      if (open()) lowest().close();
      plain.reset();
      tls.reset();
      buffer.clear();
    }
  };

  Impl(IoThread& io_thread, WebhookSenderOptions given)
      : io(io_thread), options(std::move(given)), tls_context(ssl::context::tls_client) {}

  Result<void> prepare() {
    if (auto checked = check_webhook_url(options.url); !checked) return checked;
    auto made = AddressRules::make(options.allow_addresses);
    if (!made) return tl::unexpected(made.error());
    rules = std::move(*made);
    const boost::urls::url url(boost::urls::parse_uri(options.url).value());
    secure = url.scheme() == "https";
    host = url.host_address();
    host_is_name = url.host_type() == boost::urls::host_type::name;
    port_number = url.has_port() ? url.port_number() : secure ? 443 : 80;
    authority = std::string(url.encoded_host_and_port());
    target = std::string(url.encoded_resource());
    if (const auto fragment = target.find('#'); fragment != std::string::npos) target.resize(fragment);
    if (target.empty() || target.front() != '/') target.insert(0, "/");
    lookup.emplace(io, host, options.lookup);
    error_code error;
    tls_context.set_options(
        ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
    tls_context.set_verify_mode(ssl::verify_peer, error);
    tls_context.set_default_verify_paths(error);
    if (!options.ca_file.empty()) tls_context.load_verify_file(options.ca_file.string(), error);
    if (error)
      return fail(ErrorKind::invalid, "the CA file is not a PEM file of certificates that can be read");
    return {};
  }

  void enqueue(Job job) {
    if (stopping) return job.done(unavailable("stopping"));
    if (jobs.size() >= limits::kCreditMax) return job.done(unavailable("queue full"));
    jobs.push_back(std::move(job));
    for (const auto& line : lines) {
      if (!line->idle) continue;
      line->idle = false;
      line->wake.cancel();
      return;
    }
    if (lines.size() >= options.connections_max) return;
    auto line = std::make_shared<Line>(io.impl().context);
    lines.push_back(line);
    asio::co_spawn(
        io.impl().context, [self = shared_from_this(), line] { return self->serve(line); }, asio::detached);
  }

  /// Takes jobs until there has been none for a while.
  asio::awaitable<void> serve(std::shared_ptr<Line> line) {
    const auto self = shared_from_this();
    while (!stopping) {
      if (jobs.empty()) {
        line->idle = true;
        line->wake.expires_after(std::chrono::milliseconds(options.idle_ms));
        error_code ignored;
        co_await line->wake.async_wait(redirect_error(use_awaitable, ignored));
        if (jobs.empty() && line->idle) break;
        line->idle = false;
        continue;
      }
      Job job = std::move(jobs.front());
      jobs.pop_front();
      SendResult result = co_await attempt(*line, job.message);
      job.done(std::move(result));
    }
    line->forget();
    lines.remove(line);
  }

  asio::awaitable<SendResult> attempt(Line& line, const Rendered& message) {
    const Request request = request_for(message);
    const bool reused = line.open();
    // One for all of it: looking up, connecting, sending and waiting.
    const auto deadline = Clock::now() + std::chrono::milliseconds(options.timeout_ms);
    std::optional<SendResult> result = co_await exchange(line, request, reused, deadline);
    // The partner had closed the kept connection: that says nothing about this message.
    if (!result) result = co_await exchange(line, request, false, deadline);
    co_return std::move(*result);
  }

  /// nullopt: a kept connection turned out to be closed before anything was answered.
  asio::awaitable<std::optional<SendResult>> exchange(Line& line, const Request& request, bool reused,
                                                      Clock::time_point deadline) {
    error_code error;
    if (!line.open()) error = co_await connect(line, deadline);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kAnswerBytesMax);
    if (!error) {
      line.lowest().expires_at(deadline);
      if (line.tls) {
        co_await http::async_write(*line.tls, request, redirect_error(use_awaitable, error));
        if (!error)
          co_await http::async_read_header(*line.tls, line.buffer, parser,
                                           redirect_error(use_awaitable, error));
      } else {
        co_await http::async_write(*line.plain, request, redirect_error(use_awaitable, error));
        if (!error)
          co_await http::async_read_header(*line.plain, line.buffer, parser,
                                           redirect_error(use_awaitable, error));
      }
    }
    if (error) {
      const bool lost = fault_of(error) == "connection lost" && !parser.got_some();
      line.forget();
      if (reused && lost && !stopping) co_return std::nullopt;
      co_return unavailable(fault_of(error));
    }
    // The status is the answer; the rest is read only so that the connection can be kept.
    const unsigned status = parser.get().result_int();
    const std::string retry_after(parser.get()[http::field::retry_after]);
    if (line.tls) {
      co_await http::async_read(*line.tls, line.buffer, parser, redirect_error(use_awaitable, error));
    } else {
      co_await http::async_read(*line.plain, line.buffer, parser, redirect_error(use_awaitable, error));
    }
    if (error || !parser.keep_alive()) line.forget();
    co_return webhook_result(status, retry_after, SystemClock().now());
  }

  asio::awaitable<error_code> resolve(Line& line, std::vector<tcp::endpoint>& found,
                                      Clock::time_point deadline) {
    error_code error;
    const asio::ip::address address = asio::ip::make_address(host, error);
    if (!error) {
      found.emplace_back(address, port_number);
      co_return error;
    }
    const auto answer = std::make_shared<std::optional<Result<Addresses>>>();
    line.wake.expires_at(deadline);
    const auto ticket =
        lookup->find([answer, owner = line.shared_from_this()](const Result<Addresses>& addresses) {
          *answer = addresses;
          owner->wake.cancel();
        });
    co_await line.wake.async_wait(redirect_error(use_awaitable, error));
    lookup->forget(ticket);
    if (stopping) co_return asio::error::operation_aborted;
    if (!*answer) co_return asio::error::timed_out;
    if (!**answer) co_return asio::error::host_not_found;
    for (const std::string& text : ***answer) {
      const asio::ip::address each = asio::ip::make_address(text, error);
      if (!error) found.emplace_back(each, port_number);
    }
    co_return found.empty() ? error_code(asio::error::host_not_found) : error_code();
  }

  /// Takes out what nothing is sent to. Judged here, where the connection is made: what the name server said
  /// a moment ago does not count.
  void keep_allowed(std::vector<tcp::endpoint>& found) {
    const auto own = own_addresses();
    std::string forbidden;
    std::erase_if(found, [&](const tcp::endpoint& endpoint) {
      const std::string address = endpoint.address().to_string();
      const std::string_view why = rules.against(address, own);
      if (!why.empty()) forbidden = address + ", " + std::string(why);
      return !why.empty();
    });
    const auto now = Clock::now();
    if (!found.empty() || now < next_alarm) return;
    next_alarm = now + std::chrono::hours(1);
    spdlog::error(
        "channel={} code=CH-ADDRESS alarm=true host {} is at {}, where nothing is sent to. If it is "
        "meant, add the address to allow_addresses of the channel's transport; if not, find out who "
        "changed that name",
        options.channel, host, forbidden);
  }

  asio::awaitable<error_code> connect(Line& line, Clock::time_point deadline) {
    error_code error;
    std::vector<tcp::endpoint> found;
    error = co_await resolve(line, found, deadline);
    if (error) co_return error;
    if (stopping) co_return asio::error::operation_aborted;
    keep_allowed(found);
    if (found.empty()) co_return asio::error::access_denied;
    if (secure) {
      line.tls.emplace(io.impl().context, tls_context);
    } else {
      line.plain.emplace(io.impl().context);
    }
    line.lowest().expires_at(deadline);
    co_await line.lowest().async_connect(found, redirect_error(use_awaitable, error));
    if (error) co_return error;
    error_code ignored;
    line.lowest().socket().set_option(tcp::no_delay(true), ignored);
    if (!secure) co_return error;
    line.tls->set_verify_callback(ssl::host_name_verification(host), ignored);
    // The macro SSL_set_tlsext_host_name, without its C cast. An address is no name (RFC 6066 section 3).
    if (host_is_name && SSL_ctrl(line.tls->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                 TLSEXT_NAMETYPE_host_name, host.data()) != 1) {
      co_return asio::error::invalid_argument;
    }
    co_await line.tls->async_handshake(ssl::stream_base::client, redirect_error(use_awaitable, error));
    co_return error;
  }

  Request request_for(const Rendered& message) const {
    Request request(http::verb::post, target, 11);
    request.set(http::field::host, authority);
    request.set(http::field::user_agent, "Carehub");
    for (const WebhookHeader& header : webhook_headers(options, message, SystemClock().now()))
      request.set(header.name, header.value);
    request.body() = message.bytes;
    request.prepare_payload();
    return request;
  }

  IoThread& io;
  WebhookSenderOptions options;
  ssl::context tls_context;
  bool secure = false;
  bool host_is_name = false;
  std::string host, authority, target;
  std::uint16_t port_number = 0;
  std::optional<HostLookup> lookup;
  AddressRules rules;
  Clock::time_point next_alarm{};  // one an hour: a name may change to and fro
  std::deque<Job> jobs;
  std::list<std::shared_ptr<Line>> lines;
  bool stopping = false;
};

WebhookSender::WebhookSender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<WebhookSender>> WebhookSender::make(IoThread& io, WebhookSenderOptions options) {
  auto impl = std::make_shared<Impl>(io, std::move(options));
  if (auto prepared = impl->prepare(); !prepared) return tl::unexpected(prepared.error());
  return std::unique_ptr<WebhookSender>(new WebhookSender(std::move(impl)));
}

WebhookSender::~WebhookSender() { stop(); }

void WebhookSender::send(Rendered message, std::function<void(SendResult)> done) {
  asio::post(impl_->io.impl().context,
             [impl = impl_, job = Impl::Job{std::move(message), std::move(done)}]() mutable {
               impl->enqueue(std::move(job));
             });
}

void WebhookSender::take(const WebhookSecrets& secrets) {
  impl_->io.run([&] {
    wipe(impl_->options.token);
    impl_->options.token = secrets.token;
    impl_->options.signing_keys = secrets.signing_keys;
  });
}

void WebhookSender::stop() {
  impl_->io.run([this] {
    impl_->stopping = true;
    impl_->lookup->stop();
    for (const auto& line : impl_->lines) line->close();
    auto left = std::move(impl_->jobs);
    for (const Impl::Job& job : left) job.done(unavailable("stopping"));
  });
}

}  // namespace carehub::adapters
