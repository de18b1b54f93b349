#include "adapters/transports/http_listener.hpp"

#include "adapters/transports/connection_listener.hpp"
#include "adapters/transports/http_connection.hpp"

namespace carehub::adapters {

struct HttpListener::Impl {
  using Listener = ConnectionListener<HttpConnection>;

  Impl(IoThread& io_thread, HttpListenerOptions options)
      : io(io_thread), service(std::make_shared<HttpService>()) {
    service->options = std::move(options);
    listener = std::make_shared<Listener>(
        io, Listener::Options{.connections_max = service->options.connections_max,
                              .stop_ms = service->options.stop_ms,
                              .open =
                                  [shared = service](Listener::Socket socket) {
                                    return std::make_shared<HttpConnection>(std::move(socket), shared);
                                  },
                              .turned_away =
                                  [shared = service](const Listener::Socket& socket) {
                                    shared->warn(peer_name(socket),
                                                 "too many connections: this one is turned away");
                                  }});
  }

  IoThread& io;
  std::shared_ptr<HttpService> service;
  std::shared_ptr<Listener> listener;
};

HttpListener::HttpListener(IoThread& io, HttpListenerOptions options)
    : impl_(std::make_unique<Impl>(io, std::move(options))) {}

HttpListener::~HttpListener() { stop(); }

Result<void> HttpListener::start(Receive receive) {
  impl_->service->receive = std::move(receive);
  const HttpListenerOptions& options = impl_->service->options;
  if (options.tls) {
    auto tls = TlsServer::make(options.channel, *options.tls);
    if (!tls) return tl::unexpected(tls.error());
    impl_->service->tls = std::move(*tls);
  }
  auto started = impl_->listener->start(options.channel, options.address, options.port);
  if (started && impl_->service->tls) impl_->service->tls->watch(impl_->io);
  return started;
}

void HttpListener::stop() { impl_->listener->stop(); }

void HttpListener::allow(const std::vector<HttpToken>& tokens) {
  impl_->io.run([&] { impl_->service->options.tokens = tokens; });
}

std::uint16_t HttpListener::port() const { return impl_->listener->port(); }

TurnedAwayCounts HttpListener::turned_away() const {
  TurnedAwayCounts counts;
  const auto& unauthorised = impl_->service->unauthorised;
  for (const auto& [verdict, cause] : {std::pair(TokenVerdict::unknown, wire::TurnedAway::unknown_token),
                                       {TokenVerdict::ended, wire::TurnedAway::token_over},
                                       {TokenVerdict::elsewhere, wire::TurnedAway::token_elsewhere}}) {
    if (const auto found = unauthorised.find(verdict); found != unauthorised.end())
      counts[cause] = found->second;
  }
  if (impl_->service->tls) impl_->service->tls->counts().add_to(counts);
  return counts;
}

TlsCounts HttpListener::tls_counts() const {
  TlsCounts counts;
  impl_->io.run([&] {
    if (impl_->service->tls) counts = impl_->service->tls->counts();
  });
  return counts;
}

std::uint64_t HttpListener::unauthorised() const {
  std::uint64_t count = 0;
  impl_->io.run([&] {
    for (const auto& [verdict, requests] : impl_->service->unauthorised) count += requests;
  });
  return count;
}

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
