#pragma once

#include <array>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

/// An XChaCha20-Poly1305 key. Wiped when it goes away.
class SecretKey {
 public:
  SecretKey() = default;
  explicit SecretKey(const std::array<std::uint8_t, 32>& bytes) : bytes_(bytes) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();
  const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

/// The keys that seal entries. Implementations: MemoryVault, FileVault. Thread-safe.
class Vault {
 public:
  virtual ~Vault() = default;

  /// A key that has never been used, already power-safe. `unavailable` when the file cannot be extended.
  virtual Result<KeyId> mint() = 0;

  /// `not_found` when the key is unknown or destroyed.
  virtual Result<SecretKey> key(const KeyId& id) const = 0;

  /// The key under which identifiers and message identities are hashed.
  virtual const SecretKey& index_key() const = 0;
};

/// First 16 bytes of HMAC-SHA-256(key, text).
KeyedHash keyed_hash(const SecretKey& key, std::string_view text);
/// HMAC-SHA-256(key, data).
Hash keyed_fingerprint(const SecretKey& key, BytesView data);

}  // namespace carehub::storage
