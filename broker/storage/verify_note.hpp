#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

/// Checkpoints and their signatures, read and checked by code that shares nothing with what signs them.
/// Every text may come from anybody; errors are `invalid` and say why.
namespace carehub::storage::verify {

constexpr std::size_t kCheckpointBytesMax = 64U << 10U;
constexpr std::size_t kSignaturesMax = 64;

/// A public key as C2SP signed-note writes one: name+0123abcd+base64(kind, 32 bytes of Ed25519).
struct Key {
  static constexpr std::uint8_t kNote = 0x01;         // signs as the log itself
  static constexpr std::uint8_t kCosignature = 0x04;  // signs as a witness, C2SP tlog-cosignature
  std::string name;
  std::array<std::uint8_t, 4> id{};
  std::uint8_t kind = kNote;
  std::array<std::uint8_t, 32> bytes{};
  std::uint64_t size_max = UINT64_MAX;  // of a tree that it may sign: it was replaced then
};
Result<Key> parse_key(std::string_view text);
/// One a line; empty lines and those that begin with # are skipped, but for what last_size_text() has made.
Result<std::vector<Key>> parse_keys(std::string_view text);
/// A line for such a list, before or behind the key's own: it signs no larger tree. Who does not know it
/// takes it for a remark.
std::string last_size_text(const Key& key, std::uint64_t size);

struct Signature {
  std::string name;
  std::array<std::uint8_t, 4> id{};
  Bytes bytes;
};

/// https://c2sp.org/tlog-checkpoint. Nothing in it is to be believed before a signature is.
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};
  std::string body;  // what is signed
  std::vector<Signature> signatures;
};
Result<Checkpoint> parse_checkpoint(std::string_view text);

/// The log's key that signed it: of the checkpoint's own origin. A signature by a known key that fails, or
/// that was replaced before the tree was so large, refuses the whole checkpoint; those by unknown keys are
/// passed over.
Result<Key> signer_of(const Checkpoint& checkpoint, const std::vector<Key>& keys);

/// A witness who has seen the checkpoint, and when, in seconds since 1970.
struct Cosigned {
  std::string name;
  std::uint64_t at_s = 0;
};
Result<std::vector<Cosigned>> cosigners_of(const Checkpoint& checkpoint, const std::vector<Key>& keys);

/// Standard base64 with its padding and nothing else; used by all that reads these formats.
std::optional<Bytes> from_base64(std::string_view text);
/// Decimal without sign or leading zeroes.
std::optional<std::uint64_t> from_decimal(std::string_view text);

}  // namespace carehub::storage::verify
