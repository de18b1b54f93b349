#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/fakes/tcp_peer.hpp"

namespace carehub::fakes {

/// A partner's HTTP endpoint: answers each request with the bytes that the test says. Empty bytes: it never
/// answers; "close": it closes the connection.
class HttpEndpoint {
 public:
  struct Request {
    std::string head;
    std::string body;
    int connection = 0;

    std::string header(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return {};
      const auto start = at + name.size() + 4;
      return head.substr(start, head.find("\r\n", start) - start);
    }
  };
  using Respond = std::function<std::string(const Request&)>;

  explicit HttpEndpoint(Respond respond) : respond_(std::move(respond)), acceptor_([this] { accept(); }) {}
  ~HttpEndpoint() {
    stopping_ = true;
    listener_.stop();
    acceptor_.join();
    for (auto& server : servers_) server.join();
  }

  std::uint16_t port() const { return listener_.port(); }
  std::string url(const std::string& path = "/hook") const {
    return "http://127.0.0.1:" + std::to_string(port()) + path;
  }
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  int connections() const { return connections_; }

  static std::string answer(const std::string& status, const std::string& headers = {}) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n" + headers + "\r\n";
  }

 private:
  void accept() {
    while (!stopping_) {
      const int fd = listener_.accept();
      if (fd < 0) break;
      servers_.emplace_back([this, fd, number = ++connections_] { serve(TcpPeer(fd), number); });
    }
  }
  void serve(TcpPeer peer, int number) {
    while (!stopping_) {
      if (!peer.has("\r\n\r\n")) {
        if (peer.closed_by_peer(10)) return;
        continue;
      }
      Request request;
      request.connection = number;
      request.head = peer.receive_until("\r\n\r\n");
      const std::string length = request.header("Content-Length");
      request.body = peer.receive(static_cast<std::size_t>(std::stoul(length.empty() ? "0" : length)));
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const std::string response = respond_(request);
      if (response == "close") return;
      if (response.empty()) {
        while (!stopping_ && !peer.closed_by_peer(10)) {
        }
        return;
      }
      peer.send(response);
      if (response.find("Connection: close") != std::string::npos) return;
    }
  }

  Respond respond_;
  TcpListener listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::list<std::thread> servers_;
  std::thread acceptor_;
};

}  // namespace carehub::fakes
