#include "broker/storage/vault.hpp"

#include <sodium.h>

#include <algorithm>

#include "broker/storage/sha256.hpp"

namespace carehub::storage {

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

namespace {

/// To take in a key costs as much as the hash of a short input, so the last key's state is kept.
class LastKey {
 public:
  const HmacSha256& mac(const SecretKey& key) {
    if (!keyed_ || !std::ranges::equal(key.bytes(), key_.bytes())) {
      mac_.set_key(key.bytes());
      key_ = key;
      keyed_ = true;
    }
    return mac_;
  }

 private:
  HmacSha256 mac_;
  SecretKey key_;
  bool keyed_ = false;
};

}  // namespace

Hash keyed_fingerprint(const SecretKey& key, BytesView data) {
  thread_local LastKey last;
  return last.mac(key).of(data);
}

KeyedHash keyed_hash(const SecretKey& key, std::string_view text) {
  const Hash full = keyed_fingerprint(key, bytes_of(text));
  KeyedHash hash;
  std::copy_n(full.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace carehub::storage
