#include "adapters/console/one_time_code.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace carehub::adapters {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t kDigits = 6;

}  // namespace

std::string one_time_code(const Bytes& secret, std::int64_t step) {
  std::array<std::uint8_t, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i)
    counter.at(7 - i) = static_cast<std::uint8_t>(static_cast<std::uint64_t>(step) >> (8 * i));
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), counter.data(), counter.size(), mac.data(),
       &size);
  // RFC 4226 section 5.3: four bytes from where the last one says, without the sign.
  const std::size_t at = mac.at(19) & 0x0FU;
  std::uint32_t value = (mac.at(at) & 0x7FU);
  for (std::size_t i = 1; i < 4; ++i) value = value << 8U | mac.at(at + i);
  OPENSSL_cleanse(mac.data(), mac.size());
  std::string code(kDigits, '0');
  for (auto digit = code.rbegin(); digit != code.rend(); ++digit, value /= 10)
    *digit = static_cast<char>('0' + value % 10);
  return code;
}

std::optional<std::int64_t> step_of_code(const Bytes& secret, std::string_view code, Timestamp now,
                                         std::int64_t used) {
  std::array<char, kDigits> given{};
  code.copy(given.data(), given.size());
  std::optional<std::int64_t> found;
  for (const std::int64_t beside : {-1, 0, 1}) {
    const std::int64_t step = now.us / kCodeStepUs + beside;
    std::string right = one_time_code(secret, step);
    const bool same = CRYPTO_memcmp(given.data(), right.data(), given.size()) == 0 && code.size() == kDigits;
    OPENSSL_cleanse(right.data(), right.size());
    if (same && step > used && !found) found = step;
  }
  OPENSSL_cleanse(given.data(), given.size());
  return found;
}

std::string to_base32(const Bytes& bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);  // never grows: what it grew out of would not be wiped
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = (held << 8U | byte) & 0xFFFFU;
    for (bits += 8; bits >= 5; bits -= 5) text += kAlphabet[held >> (bits - 5) & 0x1FU];
  }
  if (bits > 0) text += kAlphabet[held << (5 - bits) & 0x1FU];
  return text;
}

std::optional<Bytes> from_base32(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() * 5 / 8);
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const auto value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << 5U | static_cast<std::uint32_t>(value)) & 0xFFFFU;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(held >> bits));
  }
  return bytes;
}

}  // namespace carehub::adapters
