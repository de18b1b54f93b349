#include "adapters/transports/mllp_listener.hpp"

#include <algorithm>

#include "adapters/transports/connection_listener.hpp"
#include "adapters/transports/mllp_connection.hpp"

namespace carehub::adapters {

namespace asio = boost::asio;

struct MllpListener::Impl : std::enable_shared_from_this<MllpListener::Impl> {
  using Listener = ConnectionListener<MllpConnection>;

  Impl(IoThread& io_thread, MllpListenerOptions options)
      : io(io_thread), service(std::make_shared<MllpService>()), watch_timer(io.impl().context) {
    service->options = std::move(options);
    listener = std::make_shared<Listener>(
        io, Listener::Options{.connections_max = service->options.connections_max,
                              .stop_ms = service->options.stop_ms,
                              .open =
                                  [shared = service](Listener::Socket socket) {
                                    ++shared->counts.connections;
                                    return std::make_shared<MllpConnection>(std::move(socket), shared);
                                  },
                              .turned_away =
                                  [shared = service](const Listener::Socket& socket) {
                                    ++shared->counts.turned_away;
                                    shared->warn(peer_name(socket),
                                                 "too many connections: this one is turned away");
                                  }});
  }

  /// One timer for the deadlines of all connections: cheaper than one a read.
  asio::awaitable<void> watch() {
    const auto self = shared_from_this();
    const std::chrono::milliseconds period(std::clamp(service->options.frame_ms / 10, 5U, 1000U));
    while (listener->active()) {
      boost::system::error_code ignored;
      watch_timer.expires_after(period);
      co_await watch_timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      const auto now = std::chrono::steady_clock::now();
      for (const auto& connection : listener->open_connections()) connection->check(now);
    }
  }

  IoThread& io;
  std::shared_ptr<MllpService> service;
  std::shared_ptr<Listener> listener;
  asio::steady_timer watch_timer;
};

MllpListener::MllpListener(IoThread& io, MllpListenerOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

MllpListener::~MllpListener() { stop(); }

Result<void> MllpListener::start(Receive receive) {
  impl_->service->receive = std::move(receive);
  const MllpListenerOptions& options = impl_->service->options;
  if (options.tls) {
    auto tls = TlsServer::make(options.channel, *options.tls);
    if (!tls) return tl::unexpected(tls.error());
    impl_->service->tls = std::move(*tls);
  }
  auto started = impl_->listener->start(options.channel, options.address, options.port);
  if (!started) return started;
  if (impl_->service->tls) impl_->service->tls->watch(impl_->io);
  impl_->io.run([this] {
    asio::co_spawn(impl_->io.impl().context, [self = impl_] { return self->watch(); }, asio::detached);
  });
  return {};
}

void MllpListener::stop() {
  if (impl_->listener->port() == 0) return;  // never started
  impl_->listener->stop();
  impl_->io.run([this] { impl_->watch_timer.cancel(); });
}

std::uint16_t MllpListener::port() const { return impl_->listener->port(); }

MllpCounts MllpListener::counts() const {
  MllpCounts counts;
  impl_->io.run([&] { counts = impl_->service->counts; });
  return counts;
}

TurnedAwayCounts MllpListener::turned_away() const {
  TurnedAwayCounts counts;
  if (impl_->service->tls) impl_->service->tls->counts().add_to(counts);
  return counts;
}

TlsCounts MllpListener::tls_counts() const {
  TlsCounts counts;
  impl_->io.run([&] {
    if (impl_->service->tls) counts = impl_->service->tls->counts();
  });
  return counts;
}

}  // namespace carehub::adapters
