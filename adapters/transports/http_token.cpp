#include "adapters/transports/http_token.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <charconv>

#include "broker/base/bytes.hpp"

namespace carehub::adapters {
namespace {

constexpr std::string_view kHashed = "sha256:";
constexpr std::size_t kDayText = 10;  // 2027-01-31

TokenVerdict worth(const HttpToken& token, const std::string& address, Timestamp now) {
  if (has_ended(token, now)) return TokenVerdict::ended;
  return token.from.empty() || token.from.hold(address) ? TokenVerdict::good : TokenVerdict::elsewhere;
}

}  // namespace

Result<HttpToken> http_token(std::string_view text, std::string until, Networks from) {
  HttpToken token;
  token.until = std::move(until);
  token.from = std::move(from);
  if (!text.starts_with(kHashed)) {
    SHA256(bytes_of(text).data(), text.size(), token.sha256.data());
    return token;
  }
  const std::string_view hex = text.substr(kHashed.size());
  const auto wrong =
      fail(ErrorKind::invalid, "after sha256: there are not the 64 hexadecimal digits of a hash");
  if (hex.size() != 2 * token.sha256.size()) return wrong;
  for (std::size_t i = 0; i < token.sha256.size(); ++i) {
    const char* at = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, token.sha256.at(i), 16);
    if (error != std::errc{} || end != at + 2) return wrong;
  }
  return token;
}

TokenVerdict judge(const std::vector<HttpToken>& tokens, std::string_view secret, const std::string& address,
                   Timestamp now) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> given{};
  SHA256(bytes_of(secret).data(), secret.size(), given.data());
  TokenVerdict verdict = TokenVerdict::unknown;
  // Every token is looked at, each in constant time: which of them came near cannot be measured.
  for (const HttpToken& token : tokens) {
    if (CRYPTO_memcmp(given.data(), token.sha256.data(), given.size()) != 0) continue;
    if (verdict != TokenVerdict::good) verdict = worth(token, address, now);
  }
  return verdict;
}

bool is_over(std::string_view until, Timestamp now) {
  return !until.empty() && to_rfc3339(now).substr(0, kDayText) > until;
}

bool has_ended(const HttpToken& token, Timestamp now) { return is_over(token.until, now); }

}  // namespace carehub::adapters
