#include "adapters/transports/http_listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/status.hpp>
#include <list>
#include <optional>
#include <thread>

#include "adapters/transports/http_connection.hpp"
#include "adapters/transports/io_context.hpp"
#include "adapters/transports/listening_socket.hpp"

namespace carehub::adapters {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

struct HttpListener::Impl : std::enable_shared_from_this<HttpListener::Impl> {
  Impl(IoThread& io_thread, HttpListenerOptions options)
      : io(io_thread), service(std::make_shared<HttpService>()) {
    service->options = std::move(options);
  }

  asio::awaitable<void> accept() {
    const auto self = shared_from_this();
    while (acceptor->is_open()) {
      error_code error;
      tcp::socket socket = co_await acceptor->async_accept(redirect_error(use_awaitable, error));
      if (!acceptor->is_open()) break;
      if (error) {  // out of file descriptors, most likely: others will close
        asio::steady_timer pause(io.impl().context, std::chrono::milliseconds(100));
        co_await pause.async_wait(redirect_error(use_awaitable, error));
        continue;
      }
      forget_closed();
      if (connections.size() >= service->options.connections_max) continue;
      connections.push_back(std::make_shared<HttpConnection>(std::move(socket), service));
      connections.back()->start();
    }
  }

  void forget_closed() {
    connections.remove_if([](const auto& connection) { return !connection->open(); });
  }

  IoThread& io;
  std::shared_ptr<HttpService> service;
  std::optional<tcp::acceptor> acceptor;
  std::list<std::shared_ptr<HttpConnection>> connections;
  std::uint16_t port = 0;
};

HttpListener::HttpListener(IoThread& io, HttpListenerOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

HttpListener::~HttpListener() { stop(); }

Result<void> HttpListener::start(Receive receive) {
  Impl& impl = *impl_;
  impl.service->receive = std::move(receive);
  const HttpListenerOptions& options = impl.service->options;
  auto acceptor = listen_on(impl.io.impl().context, options.channel, options.address, options.port);
  if (!acceptor) return tl::unexpected(acceptor.error());
  impl.port = acceptor->local_endpoint().port();
  impl.acceptor.emplace(std::move(*acceptor));
  impl.io.run([&impl] {
    asio::co_spawn(
        impl.io.impl().context, [self = impl.shared_from_this()] { return self->accept(); }, asio::detached);
  });
  return {};
}

void HttpListener::stop() {
  Impl& impl = *impl_;
  if (!impl.acceptor) return;
  impl.io.run([&impl] {
    error_code ignored;
    impl.acceptor->close(ignored);
    for (const auto& connection : impl.connections) connection->finish();
  });
  bool drained = false;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(impl.service->options.stop_ms);
  while (!drained && std::chrono::steady_clock::now() < deadline) {
    impl.io.run([&impl, &drained] {
      impl.forget_closed();
      drained = impl.connections.empty();
    });
    if (!drained) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  impl.io.run([&impl] {
    for (const auto& connection : impl.connections) connection->close();
    impl.connections.clear();
  });
}

std::uint16_t HttpListener::port() const { return impl_->port; }

unsigned http_status(const std::vector<client::PublishResult>& results) {
  bool invalid = results.empty();
  bool conflict = false;
  bool denied = false;
  for (const client::PublishResult& result : results) {
    const auto* refused = std::get_if<client::Refused>(&result);
    if (refused == nullptr) continue;
    conflict |= refused->kind == ErrorKind::conflict;
    denied |= refused->kind == ErrorKind::denied;
    invalid |= refused->kind != ErrorKind::conflict && refused->kind != ErrorKind::denied;
  }
  if (invalid) return 422;
  if (conflict) return 409;
  return denied ? 403 : 200;
}

}  // namespace carehub::adapters
