#include "adapters/console/sessions.hpp"

#include <sodium.h>

#include <algorithm>

#include "adapters/transports/http_token.hpp"
#include "broker/base/bytes.hpp"

namespace carehub::adapters {
namespace {

Hash hash_of(std::string_view secret) {
  Hash hash{};
  crypto_hash_sha256(hash.data(), bytes_of(secret).data(), secret.size());
  return hash;
}

}  // namespace

Sessions::Sessions(SessionTimes times, const Clock& clock, Random& random)
    : times_(times), clock_(clock), random_(random) {
  random_.fill(form_key_);
}

Sessions::~Sessions() { sodium_memzero(form_key_.data(), form_key_.size()); }

std::string Sessions::form_secret() {
  std::array<std::uint8_t, kSecretCharacters / 2> bytes{};
  random_.fill(bytes);
  std::string secret = to_hex(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return secret;
}

std::string Sessions::form_token(std::string_view secret) const {
  Hash mac{};
  crypto_generichash(mac.data(), mac.size(), bytes_of(secret).data(), secret.size(), form_key_.data(),
                     form_key_.size());
  return to_hex(mac);
}

bool Sessions::is_form_token(std::string_view secret, std::string_view token) const {
  const std::string right = form_token(secret);
  return secret.size() == kSecretCharacters && token.size() == right.size() &&
         sodium_memcmp(token.data(), right.data(), right.size()) == 0;
}

bool Sessions::is_over(const Session& session) const {
  const std::int64_t now_us = clock_.steady_us();
  return now_us - session.seen_us >= times_.idle_us || now_us - session.began_us >= times_.absolute_us ||
         adapters::is_over(session.until, clock_.now());
}

void Sessions::end_expired() {
  std::erase_if(sessions_, [this](const auto& each) { return is_over(each.second); });
}

void Sessions::make_room(const std::string* id) {
  auto idlest = sessions_.end();
  for (auto each = sessions_.begin(); each != sessions_.end(); ++each) {
    if (id != nullptr && each->second.who.id != *id) continue;
    if (idlest == sessions_.end() || each->second.seen_us < idlest->second.seen_us) idlest = each;
  }
  if (idlest != sessions_.end()) sessions_.erase(idlest);
}

std::string Sessions::begin(const SignedIn& who, const std::string& until) {
  end_expired();
  const auto of_account =
      std::ranges::count_if(sessions_, [&who](const auto& each) { return each.second.who.id == who.id; });
  if (static_cast<std::size_t>(of_account) >= kOfAnAccountMax) make_room(&who.id);
  if (sessions_.size() >= kSessionsMax) make_room(nullptr);
  std::string secret = form_secret();
  const std::int64_t now_us = clock_.steady_us();
  sessions_[hash_of(secret)] = {.who = who, .until = until, .began_us = now_us, .seen_us = now_us};
  return secret;
}

std::optional<Sessions::Session> Sessions::find(std::string_view secret) {
  if (secret.size() != kSecretCharacters) return std::nullopt;
  const auto found = sessions_.find(hash_of(secret));
  if (found == sessions_.end()) return std::nullopt;
  Session& session = found->second;
  if (is_over(session)) {
    sessions_.erase(found);
    return std::nullopt;
  }
  const Timestamp now = clock_.now();
  session.seen_us = clock_.steady_us();
  session.absolute_end = {now.us + times_.absolute_us - (session.seen_us - session.began_us)};
  session.idle_end = {std::min(now.us + times_.idle_us, session.absolute_end.us)};
  return session;
}

void Sessions::end(std::string_view secret) { sessions_.erase(hash_of(secret)); }

void Sessions::end_all_of(const std::string& id) {
  std::erase_if(sessions_, [&id](const auto& each) { return each.second.who.id == id; });
}

}  // namespace carehub::adapters
