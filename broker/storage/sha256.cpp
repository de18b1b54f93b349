// OpenSSL's functions for one algorithm: the general ones cost more than the hash of a short input, and their
// state cannot be copied for nothing.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "broker/storage/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>

#include "broker/base/assert.hpp"

namespace carehub::storage {
namespace {

constexpr std::uint8_t kInnerPad = 0x36;  // RFC 2104 section 2
constexpr std::uint8_t kOuterPad = 0x5c;

void update(SHA256_CTX& state, BytesView part) { SHA256_Update(&state, part.data(), part.size()); }

Hash finish(SHA256_CTX& state) {
  Hash hash{};
  SHA256_Final(hash.data(), &state);
  return hash;
}

}  // namespace

Hash sha256(std::initializer_list<BytesView> parts) {
  SHA256_CTX state;
  SHA256_Init(&state);
  for (const BytesView part : parts) update(state, part);
  return finish(state);
}

struct HmacSha256::States {
  SHA256_CTX inner;
  SHA256_CTX outer;
};

HmacSha256::HmacSha256() : states_(std::make_unique<States>()) {}
HmacSha256::~HmacSha256() { OPENSSL_cleanse(states_.get(), sizeof(States)); }

void HmacSha256::set_key(BytesView key) {
  std::array<std::uint8_t, SHA256_CBLOCK> padded{};
  CAREHUB_ASSERT(key.size() <= padded.size(), "a longer key would be hashed first");
  const auto begin = [&](SHA256_CTX& state, std::uint8_t pad) {
    for (std::size_t at = 0; at < padded.size(); ++at)
      padded[at] = static_cast<std::uint8_t>((at < key.size() ? key[at] : 0) ^ pad);
    SHA256_Init(&state);
    update(state, padded);
  };
  begin(states_->inner, kInnerPad);
  begin(states_->outer, kOuterPad);
  OPENSSL_cleanse(padded.data(), padded.size());
}

Hash HmacSha256::of(BytesView data) const {
  SHA256_CTX state = states_->inner;
  update(state, data);
  const Hash inner = finish(state);
  state = states_->outer;
  update(state, inner);
  return finish(state);
}

}  // namespace carehub::storage
