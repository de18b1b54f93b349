#include "broker/storage/vault.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace carehub::storage {

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

namespace {

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

MacContext hmac_sha256() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  MacContext context(EVP_MAC_CTX_new(algorithm));
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
  if (context && EVP_MAC_CTX_set_params(context.get(), parameters.data()) != 1) context.reset();
  return context;
}

/// To make a context, to look the algorithm up and to take in the key each cost as much as the hash of a
/// short input, so the context of the last key is kept.
class KeyedMac {
 public:
  KeyedMac() : context_(hmac_sha256()) {}

  /// Null where OpenSSL has no such algorithm.
  EVP_MAC_CTX* begin(const SecretKey& key) {
    const auto& bytes = key.bytes();
    const bool known = keyed_ && sodium_memcmp(bytes.data(), key_.bytes().data(), bytes.size()) == 0;
    keyed_ = context_ && EVP_MAC_init(context_.get(), known ? nullptr : bytes.data(),
                                      known ? 0 : bytes.size(), nullptr) == 1;
    if (!known) key_ = key;
    return keyed_ ? context_.get() : nullptr;
  }

 private:
  MacContext context_;
  SecretKey key_;
  bool keyed_ = false;
};

}  // namespace

Hash keyed_fingerprint(const SecretKey& key, BytesView data) {
  thread_local KeyedMac mac;
  Hash hash{};
  std::size_t size = 0;
  EVP_MAC_CTX* const context = mac.begin(key);
  const bool good = context != nullptr && EVP_MAC_update(context, data.data(), data.size()) == 1 &&
                    EVP_MAC_final(context, hash.data(), &size, hash.size()) == 1 && size == hash.size();
  if (!good) {
    static_cast<void>(std::fputs(
        "storage: OpenSSL gives no HMAC-SHA-256; is a FIPS or legacy provider misconfigured?\n", stderr));
    std::abort();
  }
  return hash;
}

KeyedHash keyed_hash(const SecretKey& key, std::string_view text) {
  const Hash full = keyed_fingerprint(key, bytes_of(text));
  KeyedHash hash;
  std::copy_n(full.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace carehub::storage
