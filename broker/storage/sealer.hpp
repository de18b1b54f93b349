#pragma once

#include <atomic>
#include <shared_mutex>
#include <unordered_set>

#include "broker/base/random.hpp"
#include "broker/storage/entry.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

/// Seals bodies into entries and opens them again. XChaCha20-Poly1305 (IETF draft-irtf-cfrg-xchacha) with the
/// clear bytes as associated data. A nonce is 16 random bytes drawn for each batch and an 8-byte counter, so
/// it never repeats under a key, crashes and retries included. Bodies over a few hundred bytes are compressed
/// first (zstd). seal() is for one thread; all that opens is thread-safe.
class Sealer {
 public:
  Sealer(Vault& vault, Random& random);

  /// Draws a new nonce prefix. Call it before the first seal() of every batch.
  void begin_batch();

  Result<SealedEntry> seal(EntryKind kind, const KeyId& key_id, Sequence sequence, Timestamp appended_at,
                           BytesView body);

  /// The body. `not_found`: its key was destroyed or withdrawn, so it is erased. `corrupt`: the bytes do not
  /// open under their key, or the vault never had it.
  Result<Bytes> open(const SealedEntry& entry) const;
  /// As though no key had been withdrawn: for the fold of an Erasure, which finds a person's rows that way.
  Result<Bytes> open_withdrawn(const SealedEntry& entry) const;

  /// An Erasure names these keys: from here on open() opens nothing under them, however long it takes until
  /// the vault is without them. What was decided before it is still sealed.
  void withdraw(const std::vector<KeyId>& ids);
  bool withdrawn(const KeyId& id) const;

  /// A row of the state that tells about a person, sealed under one of their keys and bound to the row's
  /// name. The same row becomes the same bytes: its nonce is a keyed hash of what it holds.
  Result<std::string> seal_row(const KeyId& key_id, std::string_view name, std::string_view plain) const;
  /// Error as open().
  Result<std::string> open_row(const KeyId& key_id, std::string_view name, std::string_view sealed) const;

  /// The vault's, for hashes by which what was sealed is found.
  const SecretKey& index_key() const { return vault_.index_key(); }

 private:
  Vault& vault_;
  Random& random_;
  std::array<std::uint8_t, 16> prefix_{};
  std::uint64_t counter_ = 0;
  mutable std::shared_mutex mutex_;  // the loop withdraws while other threads open
  std::unordered_set<KeyId> withdrawn_;
  std::atomic<bool> any_withdrawn_ = false;
};

/// zstd frames with a declared size, bounded by `bytes_max` on the way back.
Bytes compress(BytesView plain);
Result<Bytes> decompress(BytesView packed, std::size_t bytes_max);

}  // namespace carehub::storage
