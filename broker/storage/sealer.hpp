#pragma once

#include "broker/base/random.hpp"
#include "broker/storage/entry.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

/// Seals bodies into entries and opens them again. XChaCha20-Poly1305 (IETF draft-irtf-cfrg-xchacha) with the
/// clear bytes as associated data. A nonce is 16 random bytes drawn for each batch and an 8-byte counter, so
/// it never repeats under a key, crashes and retries included. Bodies over a few hundred bytes are compressed
/// first (zstd). seal() is for one thread; open() is thread-safe.
class Sealer {
 public:
  Sealer(Vault& vault, Random& random);

  /// Draws a new nonce prefix. Call it before the first seal() of every batch.
  void begin_batch();

  Result<SealedEntry> seal(EntryKind kind, const KeyId& key_id, Sequence sequence, Timestamp appended_at,
                           BytesView body);

  /// The body. `not_found`: its key was destroyed, so it is erased. `corrupt`: the bytes do not open under
  /// their key, or the vault never had it.
  Result<Bytes> open(const SealedEntry& entry) const;

 private:
  Vault& vault_;
  Random& random_;
  std::array<std::uint8_t, 16> prefix_{};
  std::uint64_t counter_ = 0;
};

/// zstd frames with a declared size, bounded by `bytes_max` on the way back.
Bytes compress(BytesView plain);
Result<Bytes> decompress(BytesView packed, std::size_t bytes_max);

}  // namespace carehub::storage
