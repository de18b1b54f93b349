#include "adapters/transports/host_lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace carehub::adapters {

struct HostLookup::Shared {
  std::string host;
  Ask ask;
  std::map<Ticket, Done> waiting;  // on the IoThread
  Ticket last = 0;                 // on the IoThread
  bool asking = false;             // on the IoThread
  std::mutex mutex;                // the question's thread may end after the IoThread has gone
  IoThread* io = nullptr;          // nullptr: nobody is told any more
};

namespace {

template <class Shared>
void tell(const std::shared_ptr<Shared>& shared, Result<Addresses> found) {
  const std::lock_guard lock(shared->mutex);
  if (shared->io == nullptr) return;
  shared->io->post([shared, found = std::move(found)] {
    shared->asking = false;
    for (const auto& [ticket, done] : std::exchange(shared->waiting, {})) done(found);
  });
}

}  // namespace

HostLookup::HostLookup(IoThread& io, std::string host, Ask ask) : shared_(std::make_shared<Shared>()) {
  shared_->host = std::move(host);
  shared_->ask = std::move(ask);
  shared_->io = &io;
}

HostLookup::~HostLookup() {
  const std::lock_guard lock(shared_->mutex);
  shared_->io = nullptr;
}

HostLookup::Ticket HostLookup::find(Done done) {
  const Ticket ticket = ++shared_->last;
  shared_->waiting.emplace(ticket, std::move(done));
  if (std::exchange(shared_->asking, true)) return ticket;
  try {
    std::thread([shared = shared_] { tell(shared, shared->ask(shared->host)); }).detach();
  } catch (const std::system_error&) {
    tell(shared_, fail(ErrorKind::unavailable, "the system has no thread left to look a host up on"));
  }
  return ticket;
}

void HostLookup::forget(Ticket ticket) { shared_->waiting.erase(ticket); }

void HostLookup::stop() {
  const std::lock_guard lock(shared_->mutex);
  shared_->io = nullptr;
  shared_->waiting.clear();
}

Result<Addresses> system_addresses(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); error != 0)
    return fail(ErrorKind::not_found, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  }
  return addresses;
}

}  // namespace carehub::adapters
