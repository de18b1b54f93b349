#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>

#include "adapters/transports/io_context.hpp"
#include "adapters/transports/listening_socket.hpp"

namespace carehub::adapters {

/// What a listener does whatever is spoken on its connections: takes them in up to a limit, at which the one
/// that has been idle for longest makes room (silent peers must not lock out those that have something to
/// say), forgets those that have closed, and lets those under way finish within a bound. A Connection has
/// start(), finish(), close(), open(), idle_since() and make_room(), all called on the IoThread.
template <class Connection>
class ConnectionListener : public std::enable_shared_from_this<ConnectionListener<Connection>> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  struct Options {
    std::size_t connections_max = 0;
    std::uint32_t stop_ms = 0;
    std::function<std::shared_ptr<Connection>(Socket)> open;
    std::function<void(const Socket&)> turned_away;  // one too many
  };

  ConnectionListener(IoThread& io, Options options) : io_(io), options_(std::move(options)) {}

  /// Errors as listen_on().
  Result<void> start(const std::string& channel, const std::string& address, std::uint16_t port) {
    auto acceptor = listen_on(io_.impl().context, channel, address, port);
    if (!acceptor) return tl::unexpected(acceptor.error());
    port_ = acceptor->local_endpoint().port();
    acceptor_.emplace(std::move(*acceptor));
    io_.run([this] {
      boost::asio::co_spawn(
          io_.impl().context, [self = this->shared_from_this()] { return self->accept(); },
          boost::asio::detached);
    });
    return {};
  }

  /// Takes no more in, waits up to stop_ms for what is under way, closes. Not from the IoThread.
  void stop() {
    if (!acceptor_) return;
    io_.run([this] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      for (const auto& connection : connections_) connection->finish();
    });
    bool drained = false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.stop_ms);
    while (!drained && std::chrono::steady_clock::now() < deadline) {
      io_.run([this, &drained] {
        forget_closed();
        drained = connections_.empty();
      });
      if (!drained) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    io_.run([this] {
      for (const auto& connection : connections_) connection->close();
      connections_.clear();
    });
  }

  std::uint16_t port() const { return port_; }

  /// On the IoThread: whether anything may still come, and the connections that are open.
  bool active() const { return acceptor_->is_open() || !connections_.empty(); }
  const std::list<std::shared_ptr<Connection>>& open_connections() {
    forget_closed();
    return connections_;
  }

 private:
  boost::asio::awaitable<void> accept() {
    const auto self = this->shared_from_this();
    while (acceptor_->is_open()) {
      boost::system::error_code error;
      Socket socket =
          co_await acceptor_->async_accept(boost::asio::redirect_error(boost::asio::use_awaitable, error));
      if (!acceptor_->is_open()) break;
      if (error) {  // out of file descriptors, most likely: others will close
        boost::asio::steady_timer pause(io_.impl().context, std::chrono::milliseconds(100));
        co_await pause.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
        continue;
      }
      if (open_connections().size() >= options_.connections_max && !make_room()) {
        options_.turned_away(socket);
        continue;
      }
      connections_.push_back(options_.open(std::move(socket)));
      connections_.back()->start();
    }
  }

  /// False when no connection is idle.
  bool make_room() {
    std::shared_ptr<Connection> longest;
    for (const auto& connection : connections_) {
      const auto since = connection->idle_since();
      if (since && (!longest || *since < *longest->idle_since())) longest = connection;
    }
    if (!longest) return false;
    longest->make_room();
    forget_closed();
    return true;
  }

  void forget_closed() {
    connections_.remove_if([](const auto& connection) { return !connection->open(); });
  }

  IoThread& io_;
  Options options_;
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_;
  std::list<std::shared_ptr<Connection>> connections_;
  std::uint16_t port_ = 0;
};

}  // namespace carehub::adapters
