#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace carehub::fakes {

/// The other side of a TCP connection, in plain system calls, so that tests do not share code with what they
/// test.
class TcpPeer {
 public:
  /// `from`: an address of this machine's own to come from.
  static TcpPeer connect(std::uint16_t port, int receive_buffer_bytes = 0, const char* from = "127.0.0.1") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    sockaddr_in own = address;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::inet_pton(AF_INET, from, &own.sin_addr) != 1 ||
        ::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd);
      throw std::runtime_error("cannot connect");
    }
    return TcpPeer(fd);
  }

  explicit TcpPeer(int fd) : fd_(fd) {}
  TcpPeer(TcpPeer&& other) noexcept
      : fd_(other.fd_), received_(std::move(other.received_)), ended_(other.ended_) {
    other.fd_ = -1;
  }
  TcpPeer& operator=(TcpPeer&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(received_, other.received_);
    std::swap(ended_, other.ended_);
    return *this;
  }
  ~TcpPeer() { close(); }

  /// False when the other side has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// What came up to and including `end`, or all that came before the other side closed or the time was up.
  std::string receive_until(std::string_view end, int timeout_ms = 120'000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    std::size_t at = received_.find(end);
    while (at == std::string::npos && more(deadline)) at = received_.find(end);
    const std::size_t size = at == std::string::npos ? received_.size() : at + end.size();
    return take(size);
  }

  std::string receive(std::size_t size, int timeout_ms = 120'000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (received_.size() < size && more(deadline)) {
    }
    return take(std::min(size, received_.size()));
  }

  /// Whether these bytes are among what came already.
  bool has(std::string_view bytes) const { return received_.find(bytes) != std::string::npos; }

  /// True when the other side closes, after whatever it still sends, within the time.
  bool closed_by_peer(int timeout_ms = 120'000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (more(deadline)) {
    }
    return ended_;
  }

  void finish_sending() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  bool more(std::chrono::steady_clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wait{fd_, POLLIN, 0};
    if (ended_ || left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) return false;
    std::array<char, 65536> buffer;
    const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    ended_ = size <= 0;
    if (!ended_) received_.append(buffer.data(), static_cast<std::size_t>(size));
    return !ended_;
  }
  std::string take(std::size_t size) {
    std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }

  int fd_;
  std::string received_;
  bool ended_ = false;
};

/// A listening socket on 127.0.0.1 and a port that was free.
class TcpListener {
 public:
  TcpListener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 128) != 0) {
      throw std::runtime_error("cannot listen");
    }
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  ~TcpListener() { ::close(fd_); }

  std::uint16_t port() const { return port_; }
  /// The next connection, or a negative number after stop().
  int accept() { return ::accept(fd_, nullptr, nullptr); }
  /// Wakes whoever waits in accept(), on any thread.
  void stop() { ::shutdown(fd_, SHUT_RDWR); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

/// A port that is taken and not listened on, so that connections to it are refused for as long as this lives.
class RefusingPort {
 public:
  RefusingPort() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      throw std::runtime_error("cannot bind");
    }
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  RefusingPort(const RefusingPort&) = delete;
  RefusingPort& operator=(const RefusingPort&) = delete;
  ~RefusingPort() { ::close(fd_); }

  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

/// Waits until `holds` is true; false when it is not within the time: a bound for what never comes, wide
/// enough for sanitizers on a busy machine.
template <class Condition>
bool eventually(Condition holds, int timeout_ms = 120'000) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::usleep(2'000);
  }
  return true;
}

}  // namespace carehub::fakes
