#pragma once

#include <memory>
#include <optional>

#include "broker/base/random.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::client {

/// One DEALER socket from connect to loss. It never reconnects by itself: a fresh connection has a fresh
/// secret routing id, so nobody can pick up what was meant for an old one. For one thread.
class Connection {
 public:
  enum class Sent : std::uint8_t { sent, full };

  /// Error `invalid`: endpoint or keys are malformed. Whether anybody is there shows later.
  static Result<std::unique_ptr<Connection>> open(void* context, const ClientOptions& options,
                                                  Random& random);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Never blocks. `full`: nothing was taken; poll with `for_output` and try again.
  Sent send(BytesView frame);

  /// The next frame, or nullopt when there is none now.
  std::optional<Bytes> receive();

  /// True once the transport says that the connection failed or broke.
  bool lost();
  /// Why, in words for a person who can mend it.
  const char* why() const { return why_; }

  /// Waits until something can be read here or on `wake_fd`, or `timeout_ms` passed.
  void poll(int wake_fd, bool for_output, long timeout_ms);

 private:
  using Socket = std::unique_ptr<void, int (*)(void*)>;
  Connection(Socket socket, Socket monitor);

  Socket socket_;
  Socket monitor_;
  bool lost_ = false;
  const char* why_ = "the hub does not answer";
};

/// Error `invalid` says what is wrong with endpoint or keys.
Result<void> check_options(const ClientOptions& options);

}  // namespace carehub::client
