#include "broker/server/authenticator.hpp"

#include <zmq.h>

#include <array>
#include <utility>

#include "broker/base/limits.hpp"

namespace carehub::server {

namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kZ85KeyLength = 40;

/// The key is part of it, because an agency that changes its key has two for a while: who loses one keeps the
/// other.
std::string user_id_of(const AllowedKey& key) { return key.agency + "/" + key.client + "/" + key.public_key; }

/// The key's 32 bytes; empty when malformed.
std::string bytes_of_key(const std::string& z85) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  if (z85.size() != kZ85KeyLength || zmq_z85_decode(bytes.data(), z85.c_str()) == nullptr) return {};
  return {bytes.begin(), bytes.end()};
}

Result<void> check(const std::vector<AllowedKey>& keys) {
  std::map<std::string, std::string> seen;
  for (const AllowedKey& key : keys) {
    const std::string who = "key of client `" + key.client + "`";
    if (key.client.empty() || key.client.find('/') != std::string::npos ||
        key.agency.find('/') != std::string::npos ||
        key.agency.size() + key.client.size() >= limits::kNameBytesMax) {
      return fail(ErrorKind::invalid,
                  who + ": agency and client need names without a slash, at most 127 bytes");
    }
    const std::string bytes = bytes_of_key(key.public_key);
    if (bytes.empty()) return fail(ErrorKind::invalid, who + ": a public key is 40 characters of Z85");
    if (const auto [other, fresh] = seen.emplace(bytes, key.client); !fresh) {
      return fail(ErrorKind::invalid,
                  who + " is listed for `" + other->second + "`, too: each client has its own");
    }
  }
  return {};
}

std::map<std::string, std::string> users_of(const std::vector<AllowedKey>& keys) {
  std::map<std::string, std::string> users;
  for (const AllowedKey& key : keys) {
    if (const std::string bytes = bytes_of_key(key.public_key); !bytes.empty())
      users.emplace(bytes, user_id_of(key));
  }
  return users;
}

std::vector<std::string> receive_parts(void* socket) {
  std::vector<std::string> parts;
  zmq_msg_t part;
  zmq_msg_init(&part);
  do {
    if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) break;
    parts.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
  } while (zmq_msg_more(&part) != 0);
  zmq_msg_close(&part);
  return parts;
}

void send_parts(void* socket, const std::vector<std::string>& parts) {
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const int flags = index + 1 < parts.size() ? ZMQ_SNDMORE : 0;
    zmq_send(socket, parts[index].data(), parts[index].size(), flags | ZMQ_DONTWAIT);
  }
}

}  // namespace

Result<std::unique_ptr<Authenticator>> Authenticator::open(void* context,
                                                           const std::vector<AllowedKey>& keys) {
  Socket socket(zmq_socket(context, ZMQ_REP), &zmq_close);
  const int linger = 0;
  if (socket == nullptr || zmq_setsockopt(socket.get(), ZMQ_LINGER, &linger, sizeof linger) != 0 ||
      zmq_bind(socket.get(), kZapEndpoint) != 0) {
    return fail(ErrorKind::unavailable, "cannot answer for keys: another hub runs in this ZeroMQ context");
  }
  auto authenticator = std::unique_ptr<Authenticator>(new Authenticator(std::move(socket)));
  if (auto allowed = authenticator->allow(keys); !allowed) return tl::unexpected(allowed.error());
  return authenticator;
}

void Authenticator::answer() {
  while (true) {
    // version, request id, domain, address, routing id, mechanism, credentials
    const std::vector<std::string> request = receive_parts(socket_.get());
    if (request.empty()) return;
    std::string user_id;
    if (request.size() == 7 && request[0] == "1.0" && request[2] == kZapDomain && request[5] == "CURVE" &&
        request[6].size() == kKeyBytes) {
      const std::lock_guard lock(mutex_);
      if (const auto found = users_.find(request[6]); found != users_.end()) user_id = found->second;
    }
    const std::string id = request.size() > 1 ? request[1] : std::string();
    if (user_id.empty()) {
      ++refused_;
      send_parts(socket_.get(), {"1.0", id, "400", "this key is not on the hub's list", "", ""});
    } else {
      send_parts(socket_.get(), {"1.0", id, "200", "OK", user_id, ""});
    }
  }
}

Result<void> Authenticator::allow(const std::vector<AllowedKey>& keys) {
  if (auto checked = check(keys); !checked) return tl::unexpected(checked.error());
  auto users = users_of(keys);
  const std::lock_guard lock(mutex_);
  users_.swap(users);
  return {};
}

bool Authenticator::allows(const std::string& user_id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, user] : users_) {
    if (user == user_id) return true;
  }
  return false;
}

}  // namespace carehub::server
