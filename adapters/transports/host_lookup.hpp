#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/transports/io_thread.hpp"
#include "broker/base/result.hpp"

namespace carehub::adapters {

/// IP addresses as text.
using Addresses = std::vector<std::string>;

/// Asks the system; takes as long as that likes. Error `not_found` names no host.
Result<Addresses> system_addresses(const std::string& host);

/// The addresses of one host, asked for on a thread of the question's own: the system's resolver cannot be
/// interrupted, and a name server that hangs for one partner must hold up no other. At most one question is
/// under way; who asks meanwhile gets its answer.
class HostLookup {
 public:
  using Ask = std::function<Result<Addresses>(const std::string& host)>;
  using Ticket = std::uint64_t;
  using Done = std::function<void(const Result<Addresses>&)>;

  /// `ask` is called on the question's thread, which may outlive this.
  HostLookup(IoThread& io, std::string host, Ask ask = system_addresses);
  ~HostLookup();
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;

  /// `done` is called on the IoThread, later. On the IoThread only.
  Ticket find(Done done);
  /// Who asked with this ticket is not told any more: a name server that hangs must not gather all who gave
  /// up waiting. On the IoThread only.
  void forget(Ticket ticket);
  /// Nobody is told any more. On the IoThread only.
  void stop();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace carehub::adapters
