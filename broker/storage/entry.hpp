#pragma once

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"

/// One line of the ledger as bytes. All numbers little-endian.
///
///   clear bytes (40): version u8 | kind u8 | codec u8 | zero u8 | length u32 | sequence u64 | appended_at
///   i64 (us) |
///                     key_id 16
///   nonce (24) | leaf hash (32) | ciphertext (length bytes, its 16-byte tag included)
///
/// The Merkle leaf's data is the clear bytes and SHA-256(nonce || ciphertext); the leaf hash is
/// SHA-256(0x00 || data), RFC 6962 section 2.1. The clear bytes are the ciphertext's associated data.
namespace carehub::storage {

constexpr std::uint8_t kEntryVersion = 1;
constexpr std::size_t kClearBytes = 40;
constexpr std::size_t kNonceBytes = 24;
constexpr std::size_t kTagBytes = 16;

/// The same numbers as ledger::Entry in ledger.fbs.
enum class EntryKind : std::uint8_t {
  event = 1,
  refusal,
  offered,
  acked,
  nacked,
  withheld,
  dead_letter,
  notice_step,
  subscription_changed,
  policy_changed,
  config_changed,
  operator_action,
  access,
  erasure,
  report
};

const char* to_string(EntryKind kind);

enum class Codec : std::uint8_t { none = 0, zstd = 1 };

struct EntryHeader {
  std::uint8_t version = kEntryVersion;
  EntryKind kind = EntryKind::event;
  Codec codec = Codec::none;
  std::uint32_t length = 0;  // of the ciphertext
  Sequence sequence = 0;
  Timestamp appended_at;
  KeyId key_id;
};

struct SealedEntry {
  EntryHeader header;
  std::array<std::uint8_t, kNonceBytes> nonce{};
  Hash leaf{};
  Bytes ciphertext;
};

std::array<std::uint8_t, kClearBytes> clear_bytes(const EntryHeader& header);
Hash leaf_hash(const EntryHeader& header, const std::array<std::uint8_t, kNonceBytes>& nonce,
               BytesView ciphertext);

Bytes encode(const SealedEntry& entry);

/// Checks version, lengths and the leaf hash: one wrong byte anywhere is `corrupt`, named by `expected`.
Result<SealedEntry> decode(BytesView bytes, Sequence expected);

}  // namespace carehub::storage
