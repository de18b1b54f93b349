#include "broker/storage/vault.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <algorithm>

namespace carehub::storage {

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

Hash keyed_fingerprint(const SecretKey& key, BytesView data) {
  Hash hash{};
  HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.bytes().size()), data.data(), data.size(),
       hash.data(), nullptr);
  return hash;
}

KeyedHash keyed_hash(const SecretKey& key, std::string_view text) {
  const Hash full = keyed_fingerprint(key, bytes_of(text));
  KeyedHash hash;
  std::copy_n(full.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace carehub::storage
