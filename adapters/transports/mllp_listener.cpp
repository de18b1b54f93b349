#include "adapters/transports/mllp_listener.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <optional>
#include <thread>

#include "adapters/transports/io_context.hpp"
#include "adapters/transports/listening_socket.hpp"
#include "adapters/transports/mllp_connection.hpp"

namespace carehub::adapters {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

struct MllpListener::Impl : std::enable_shared_from_this<MllpListener::Impl> {
  Impl(IoThread& io_thread, MllpListenerOptions options)
      : io(io_thread), service(std::make_shared<MllpService>()), watch_timer(io.impl().context) {
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
      if (connections.size() >= service->options.connections_max) {
        ++service->counts.turned_away;
        service->warn(peer_name(socket), "too many connections: this one is turned away");
        continue;
      }
      ++service->counts.connections;
      connections.push_back(std::make_shared<MllpConnection>(std::move(socket), service));
      connections.back()->start();
    }
  }

  /// One timer for the deadlines of all connections: cheaper than one a read.
  asio::awaitable<void> watch() {
    const auto self = shared_from_this();
    const std::chrono::milliseconds period(std::clamp(service->options.frame_ms / 10, 5U, 1000U));
    while (acceptor->is_open() || !connections.empty()) {
      error_code ignored;
      watch_timer.expires_after(period);
      co_await watch_timer.async_wait(redirect_error(use_awaitable, ignored));
      const auto now = std::chrono::steady_clock::now();
      for (const auto& connection : connections) connection->check(now);
      forget_closed();
    }
  }

  void forget_closed() {
    connections.remove_if([](const auto& connection) { return !connection->open(); });
  }

  IoThread& io;
  std::shared_ptr<MllpService> service;
  std::optional<tcp::acceptor> acceptor;
  std::list<std::shared_ptr<MllpConnection>> connections;
  asio::steady_timer watch_timer;
  std::uint16_t port = 0;
};

MllpListener::MllpListener(IoThread& io, MllpListenerOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

MllpListener::~MllpListener() { stop(); }

Result<void> MllpListener::start(Receive receive) {
  Impl& impl = *impl_;
  impl.service->receive = std::move(receive);
  const MllpListenerOptions& options = impl.service->options;
  auto acceptor = listen_on(impl.io.impl().context, options.channel, options.address, options.port);
  if (!acceptor) return tl::unexpected(acceptor.error());
  impl.port = acceptor->local_endpoint().port();
  impl.acceptor.emplace(std::move(*acceptor));
  impl.io.run([&impl] {
    const auto self = impl.shared_from_this();
    asio::co_spawn(impl.io.impl().context, [self] { return self->accept(); }, asio::detached);
    asio::co_spawn(impl.io.impl().context, [self] { return self->watch(); }, asio::detached);
  });
  return {};
}

void MllpListener::stop() {
  Impl& impl = *impl_;
  if (!impl.acceptor) return;
  bool drained = false;
  impl.io.run([&impl] {
    error_code ignored;
    impl.acceptor->close(ignored);
    for (const auto& connection : impl.connections) connection->finish();
  });
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
    impl.watch_timer.cancel();
  });
}

std::uint16_t MllpListener::port() const { return impl_->port; }

MllpCounts MllpListener::counts() const {
  MllpCounts counts;
  impl_->io.run([&] { counts = impl_->service->counts; });
  return counts;
}

}  // namespace carehub::adapters
