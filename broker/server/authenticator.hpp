#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/base/result.hpp"

namespace carehub::server {

/// A key that may connect, and as whom.
struct AllowedKey {
  std::string public_key;  // Z85, 40 characters
  std::string agency;      // empty: an operator
  std::string client;      // the process's name
};

/// The ZAP handler (ZeroMQ RFC 27) on inproc://zeromq.zap.01: answers each CURVE handshake out of the list of
/// allowed keys, with agency/client/key as the User-Id. It serves the domain `carehub` alone.
class Authenticator {
 public:
  using Socket = std::unique_ptr<void, int (*)(void*)>;

  /// Error `invalid`: a key is malformed, listed twice, or a name holds a slash. `unavailable`: this context
  /// has a handler already.
  static Result<std::unique_ptr<Authenticator>> open(void* context, const std::vector<AllowedKey>& keys);

  /// For polling; answer() handles what waits. For the loop's thread.
  void* socket() const { return socket_.get(); }
  void answer();

  /// Replaces the list. Error `invalid`, as of open(): the list stays what it was. Thread-safe.
  Result<void> allow(const std::vector<AllowedKey>& keys);

  /// Whether this User-Id is still on the list. Thread-safe.
  bool allows(const std::string& user_id) const;

  /// Handshakes turned away so far. For the loop's thread.
  std::uint64_t refused() const { return refused_; }

 private:
  explicit Authenticator(Socket socket) : socket_(std::move(socket)) {}

  Socket socket_;
  mutable std::mutex mutex_;                  // the list is replaced from other threads
  std::map<std::string, std::string> users_;  // User-Id by the key's 32 bytes
  std::uint64_t refused_ = 0;
};

constexpr const char* kZapDomain = "carehub";

}  // namespace carehub::server
