#pragma once

#include <string>

#include "broker/storage/entry.hpp"

/// Entries as they are sealed, a line each.
namespace carehub::app {

/// With all its bytes in base64, so that anybody can hash them.
std::string sealed_json(const storage::SealedEntry& entry);

/// Base64 of what its leaf is the hash of: the clear bytes, and SHA-256 of nonce and ciphertext.
std::string leaf_line(const storage::SealedEntry& entry);

std::string sealed_csv_header();
std::string sealed_csv(const storage::SealedEntry& entry);

}  // namespace carehub::app
