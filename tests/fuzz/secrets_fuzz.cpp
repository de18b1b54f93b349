// What the files of secrets hold that a configuration names: a token of those who may post, in clear or as
// its hash, and a webhook's signing key. A secret is worth what it says, and nothing else is worth as much.
#include <cctype>
#include <cstdlib>
#include <string>

#include "adapters/transports/http_token.hpp"
#include "adapters/transports/webhook_sender.hpp"

namespace {

using namespace carehub;
using adapters::TokenVerdict;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_token(const std::string& text) {
  constexpr std::string_view kHashed = "sha256:";
  const auto token = adapters::http_token(text);
  const bool hashed = text.starts_with(kHashed);
  require(token.has_value() || hashed);
  if (!token) return;
  const auto worth = [&](const std::string& sent) {
    return adapters::judge({*token}, sent, "192.0.2.7", Timestamp{});
  };
  // Whoever reads the file of a hash cannot post with what is in it.
  require(worth(text) == (hashed ? TokenVerdict::unknown : TokenVerdict::good));
  require(worth(text + "x") == TokenVerdict::unknown);
  if (!hashed) return;
  require(text.size() == kHashed.size() + 2 * token->sha256.size());
  for (const char c : text.substr(kHashed.size())) require(std::isxdigit(static_cast<unsigned char>(c)) != 0);
}

/// A key has one spelling: base64 that ends where it should, with no bit to spare.
void read_signing_key(const std::string& text) {
  constexpr std::string_view kPrefix = "whsec_";
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto key = adapters::signing_key_from(text);
  if (!key) return;
  require(key->size() >= 24 && key->size() <= 64 && text.starts_with(kPrefix));
  std::string spelled;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t byte : *key) {
    bits = bits << 8U | byte;
    for (count += 8; count >= 6; count -= 6) spelled += kLetters[bits >> (count - 6) & 63U];
  }
  if (count > 0) spelled += kLetters[bits << (6 - count) & 63U];
  while (spelled.size() % 4 != 0) spelled += '=';
  require(text.substr(kPrefix.size()) == spelled);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_token(text);
  read_signing_key(text);
  return 0;
}
