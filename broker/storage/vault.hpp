#pragma once

#include <array>
#include <string>
#include <vector>

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

  /// `not_found` when the key was destroyed here; `corrupt` when it was never minted here: this vault is
  /// older than who asks.
  virtual Result<SecretKey> key(const KeyId& id) const = 0;

  /// From here on these keys are `not_found`, for ever: they are gone from memory and from the vault's file.
  /// Those that were never minted here are passed over. Error `unavailable`: the file could not be written
  /// anew, and which keys are left only the next call, or the next start, can tell.
  virtual Result<void> destroy(const std::vector<KeyId>& ids) = 0;

  /// Older copies of the vault, in the places that it knows of, in which one of these keys may still be. May
  /// take long, and holds nobody up meanwhile.
  virtual std::vector<std::string> copies_with(const std::vector<KeyId>& ids) const = 0;

  /// The key under which identifiers and message identities are hashed.
  virtual const SecretKey& index_key() const = 0;
};

/// First 16 bytes of HMAC-SHA-256(key, text).
KeyedHash keyed_hash(const SecretKey& key, std::string_view text);
/// HMAC-SHA-256(key, data).
Hash keyed_fingerprint(const SecretKey& key, BytesView data);

}  // namespace carehub::storage
