#pragma once

#include "broker/base/bytes.hpp"

namespace carehub {

/// Number of an entry in the ledger: 1, 2, 3 ... without a gap. 0 means none.
using Sequence = std::uint64_t;

/// 16 bytes that name something without saying what. `Tag` keeps the kinds apart.
template <class Tag>
struct Key16 {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const Key16&, const Key16&) = default;
  bool empty() const { return *this == Key16{}; }
};

/// The hub's own pseudonymous key for one person.
using PersonKey = Key16<struct PersonTag>;
/// The vault's random name for one sealing key.
using KeyId = Key16<struct KeyIdTag>;
/// A keyed hash (HMAC-SHA-256 under the vault's index key, first 16 bytes) of an identifier or message
/// identity.
using KeyedHash = Key16<struct KeyedHashTag>;

/// Keyed hash of identity and content together: equal fingerprints are the same message.
using Fingerprint = Hash;

/// The server's handle for one connection; never reused while the hub runs. Not an identity.
using ConnectionId = std::uint64_t;

}  // namespace carehub

template <class Tag>
struct std::hash<carehub::Key16<Tag>> {
  std::size_t operator()(const carehub::Key16<Tag>& key) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, key.bytes.data(), sizeof value);
    return value;
  }
};
