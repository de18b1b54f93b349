#include "broker/storage/entry.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"
#include "broker/storage/little_endian.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kNonceAt = kClearBytes;
constexpr std::size_t kLeafAt = kNonceAt + kNonceBytes;
constexpr std::size_t kCiphertextAt = kLeafAt + sizeof(Hash);
constexpr std::uint8_t kLeafPrefix = 0x00;

tl::unexpected<Error> damaged(Sequence sequence, std::string_view what) {
  return fail(ErrorKind::corrupt, "ledger entry " + std::to_string(sequence) +
                                      " is damaged: " + std::string(what) +
                                      ". Stop the hub and restore the ledger from a backup");
}

}  // namespace

const char* to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::event: return "event";
    case EntryKind::refusal: return "refusal";
    case EntryKind::offered: return "offered";
    case EntryKind::acked: return "acked";
    case EntryKind::nacked: return "nacked";
    case EntryKind::withheld: return "withheld";
    case EntryKind::dead_letter: return "dead_letter";
    case EntryKind::notice_step: return "notice_step";
    case EntryKind::subscription_changed: return "subscription_changed";
    case EntryKind::policy_changed: return "policy_changed";
    case EntryKind::config_changed: return "config_changed";
    case EntryKind::operator_action: return "operator_action";
    case EntryKind::access: return "access";
    case EntryKind::erasure: return "erasure";
    case EntryKind::report: return "report";
  }
  return "unknown";
}

std::array<std::uint8_t, kClearBytes> clear_bytes(const EntryHeader& header) {
  std::array<std::uint8_t, kClearBytes> out{};
  out[0] = header.version;
  out[1] = static_cast<std::uint8_t>(header.kind);
  out[2] = static_cast<std::uint8_t>(header.codec);
  put_little(&out[4], header.length);
  put_little(&out[8], header.sequence);
  put_little(&out[16], static_cast<std::uint64_t>(header.appended_at.us));
  std::copy(header.key_id.bytes.begin(), header.key_id.bytes.end(), out.begin() + 24);
  return out;
}

Hash leaf_hash(const EntryHeader& header, const std::array<std::uint8_t, kNonceBytes>& nonce,
               BytesView ciphertext) {
  const Hash sealed = sha256({nonce, ciphertext});
  const auto clear = clear_bytes(header);
  return sha256({BytesView(&kLeafPrefix, 1), clear, sealed});
}

Bytes encode(const SealedEntry& entry) {
  const auto clear = clear_bytes(entry.header);
  Bytes out(kCiphertextAt + entry.ciphertext.size());
  auto at = std::copy(clear.begin(), clear.end(), out.begin());
  at = std::copy(entry.nonce.begin(), entry.nonce.end(), at);
  at = std::copy(entry.leaf.begin(), entry.leaf.end(), at);
  std::copy(entry.ciphertext.begin(), entry.ciphertext.end(), at);
  return out;
}

Result<SealedEntry> decode(BytesView bytes, Sequence expected) {
  if (bytes.size() < kCiphertextAt + kTagBytes) return damaged(expected, "it is cut short");
  if (bytes[0] != kEntryVersion) {
    return damaged(expected, "its format version is " + std::to_string(bytes[0]) + ", this hub reads " +
                                 std::to_string(kEntryVersion));
  }
  constexpr auto kKindLast = static_cast<std::uint8_t>(EntryKind::report);
  if (bytes[1] == 0 || bytes[1] > kKindLast) return damaged(expected, "its kind is unknown");
  if (bytes[2] > static_cast<std::uint8_t>(Codec::zstd)) return damaged(expected, "its codec is unknown");
  if (bytes[3] != 0) return damaged(expected, "a byte that is always zero is not");

  SealedEntry entry;
  entry.header.kind = static_cast<EntryKind>(bytes[1]);
  entry.header.codec = static_cast<Codec>(bytes[2]);
  entry.header.length = get_little<std::uint32_t>(&bytes[4]);
  entry.header.sequence = get_little<std::uint64_t>(&bytes[8]);
  entry.header.appended_at = {static_cast<std::int64_t>(get_little<std::uint64_t>(&bytes[16]))};
  std::copy_n(&bytes[24], entry.header.key_id.bytes.size(), entry.header.key_id.bytes.begin());
  if (entry.header.sequence != expected) return damaged(expected, "it carries another sequence");
  if (entry.header.length != bytes.size() - kCiphertextAt) return damaged(expected, "its length differs");
  if (entry.header.length > limits::kBatchBytesMax) return damaged(expected, "it is longer than any batch");

  std::copy_n(&bytes[kNonceAt], kNonceBytes, entry.nonce.begin());
  std::copy_n(&bytes[kLeafAt], sizeof(Hash), entry.leaf.begin());
  const BytesView ciphertext = bytes.subspan(kCiphertextAt);
  if (leaf_hash(entry.header, entry.nonce, ciphertext) != entry.leaf) {
    return damaged(expected, "its hash does not match its bytes");
  }
  entry.ciphertext.assign(ciphertext.begin(), ciphertext.end());
  return entry;
}

}  // namespace carehub::storage
