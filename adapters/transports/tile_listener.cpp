#include "adapters/transports/tile_listener.hpp"

#include <deque>
#include <mutex>

#include "adapters/transports/connection_listener.hpp"
#include "adapters/transports/http_connection.hpp"

namespace carehub::adapters {
namespace {

constexpr const char* kName = "tiles";
constexpr std::size_t kAskedMax = 4;        // at once; the hub takes no more of one asker
constexpr std::size_t kPathBytesMax = 128;  // no tile's name is as long
constexpr std::size_t kHashBytes = 32;

const char* const kNever = "no-cache";
const char* const kForEver = "public, max-age=31536000, immutable";
const char* const kForNow = "public, max-age=60";

/// nullopt: nothing is served there.
std::optional<wire::QueryT> question_of(const std::string& path) {
  wire::QueryT query;
  query.kind = wire::QueryKind::checkpoint;
  if (path == "/checkpoint") return query;
  if (path == "/checkpoint.cosigned") {
    query.path = "cosigned";
    return query;
  }
  if (!path.starts_with("/tile/") || path.starts_with("/tile/entries/") || path.size() > kPathBytesMax)
    return std::nullopt;
  query.kind = wire::QueryKind::tile;
  query.path = path.substr(1);
  return query;
}

HttpPage refusal(ErrorKind kind) {
  if (kind == ErrorKind::not_found) return {404, {}, {}, "There is no such part of the log yet"};
  if (kind == ErrorKind::invalid) return {400, {}, {}, "This is no name of a tile (C2SP tlog-tiles)"};
  return {503, {}, {}, "The hub cannot answer now. Ask again"};
}

HttpPage page_of(const Result<client::Reply>& reply, bool full_tile) {
  if (!reply)
    return refusal(reply.error().kind == ErrorKind::not_found ? ErrorKind::not_found
                                                              : ErrorKind::unavailable);
  const auto* page = std::get_if<wire::PageT>(&*reply);
  if (page == nullptr) return refusal(ErrorKind::unavailable);
  if (page->error == wire::ErrorKind::not_found) return refusal(ErrorKind::not_found);
  if (page->error == wire::ErrorKind::invalid) return refusal(ErrorKind::invalid);
  if (page->error != wire::ErrorKind::unknown || page->rows.size() != 1)
    return refusal(ErrorKind::unavailable);
  const wire::RowT& row = *page->rows.front();
  if (row.kind == "checkpoint") return {200, "text/plain; charset=utf-8", kNever, row.text};
  HttpPage tile{200, "application/octet-stream", full_tile ? kForEver : kForNow, {}};
  tile.body.reserve(row.hashes.size() * kHashBytes);
  for (const auto& hash : row.hashes) tile.body.append(hash.bytes()->begin(), hash.bytes()->end());
  return tile;
}

/// Questions on their way to the hub: a few at once, the others wait their turn.
class TileQuestions : public std::enable_shared_from_this<TileQuestions> {
 public:
  using Done = std::function<void(HttpPage)>;

  TileQuestions(client::HubClient& hub, std::size_t waiting_max) : hub_(hub), waiting_max_(waiting_max) {}

  void ask(const std::string& path, Done done) {
    auto query = question_of(path);
    if (!query) return done(refusal(ErrorKind::not_found));
    if (!hub_.connected()) return done(refusal(ErrorKind::unavailable));
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() < waiting_max_) {
        waiting_.push_back({*std::move(query), std::move(done)});
        done = nullptr;
      }
    }
    if (done) return done(refusal(ErrorKind::unavailable));
    ask_next();
  }

 private:
  struct Waiting {
    wire::QueryT query;
    Done done;
  };

  void ask_next() {
    for (;;) {
      Waiting next;
      {
        const std::lock_guard lock(mutex_);
        if (asked_ >= kAskedMax || waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
        ++asked_;
      }
      const bool full = next.query.path.find(".p/") == std::string::npos;
      const auto done = std::make_shared<Done>(std::move(next.done));
      const auto asked = hub_.ask(
          std::move(next.query), [self = shared_from_this(), done, full](const Result<client::Reply>& reply) {
            self->answered();
            (*done)(page_of(reply, full));
            self->ask_next();
          });
      if (asked) continue;
      answered();
      (*done)(refusal(ErrorKind::unavailable));
    }
  }

  void answered() {
    const std::lock_guard lock(mutex_);
    --asked_;
  }

  client::HubClient& hub_;
  std::size_t waiting_max_;
  std::mutex mutex_;  // between the thread of the sockets and the client's
  std::deque<Waiting> waiting_;
  std::size_t asked_ = 0;
};

}  // namespace

struct TileListener::Impl {
  using Listener = ConnectionListener<HttpConnection>;

  Impl(IoThread& io_thread, TileListenerOptions given, client::HubClient& hub)
      : io(io_thread),
        options(std::move(given)),
        service(std::make_shared<HttpService>()),
        questions(std::make_shared<TileQuestions>(hub, options.connections_max)) {
    service->options.channel = kName;
    service->options.header_bytes_max = options.header_bytes_max;
    service->options.body_bytes_max = 0;
    service->options.timeout_ms = options.timeout_ms;
    service->look_up = [asked = questions](const std::string& path, std::function<void(HttpPage)> done) {
      asked->ask(path, std::move(done));
    };
    listener = std::make_shared<Listener>(
        io, Listener::Options{.connections_max = options.connections_max,
                              .stop_ms = options.stop_ms,
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
  TileListenerOptions options;
  std::shared_ptr<HttpService> service;
  std::shared_ptr<TileQuestions> questions;
  std::shared_ptr<Listener> listener;
};

TileListener::TileListener(IoThread& io, TileListenerOptions options, client::HubClient& hub)
    : impl_(std::make_unique<Impl>(io, std::move(options), hub)) {}

TileListener::~TileListener() { stop(); }

Result<void> TileListener::start() {
  if (impl_->options.tls) {
    auto tls = TlsServer::make(kName, *impl_->options.tls);
    if (!tls) return tl::unexpected(tls.error());
    impl_->service->tls = std::move(*tls);
  }
  auto started = impl_->listener->start(kName, impl_->options.address, impl_->options.port);
  if (started && impl_->service->tls) impl_->service->tls->watch(impl_->io);
  return started;
}

void TileListener::stop() { impl_->listener->stop(); }

std::uint16_t TileListener::port() const { return impl_->listener->port(); }

}  // namespace carehub::adapters
