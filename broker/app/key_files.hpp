#pragma once

#include <filesystem>
#include <string>

#include "broker/base/result.hpp"

/// CURVE key pairs (Curve25519) as two small text files, each one line of Z85 (ZeroMQ RFC 32).
namespace carehub::app {

struct KeyPair {
  std::string public_key;  // Z85, 40 characters
  std::string secret_key;
};

KeyPair make_key_pair();

/// Writes NAME.public and NAME.secret (0600), synced. `conflict` when either exists: a key is never
/// overwritten.
Result<void> write_key_pair(const std::filesystem::path& name, const KeyPair& keys);

Result<std::string> read_public_key(const std::filesystem::path& file);

/// The secret key with the public one that belongs to it. `invalid` when others than the owner may read the
/// file.
Result<KeyPair> read_secret_key(const std::filesystem::path& file);

}  // namespace carehub::app
