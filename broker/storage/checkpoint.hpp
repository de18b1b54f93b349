#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/random.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/note_key.hpp"

namespace carehub::storage {

/// Signs (size, root) of a ledger as a C2SP checkpoint (https://c2sp.org/tlog-checkpoint, a signed note) with
/// an Ed25519 key of its own, whose name is the log's origin. Wiped when it goes away. Thread-safe.
class CheckpointSigner {
 public:
  /// A new key. `invalid` for an origin that is empty, too long, or holds spaces, plus or control characters.
  static Result<CheckpointSigner> make(const std::string& origin, Random& random);
  /// What secret_text() gave: PRIVATE+KEY+name+id+base64, as Go's sumdb/note writes it.
  static Result<CheckpointSigner> parse(std::string_view secret_text);

  const std::string& origin() const { return key_.name(); }
  /// The verifier key, name+id+base64, for whoever checks.
  std::string public_text() const { return key_.public_text(); }
  std::string secret_text() const { return key_.secret_text(); }

  /// The whole checkpoint, with its signature.
  std::string sign(std::uint64_t size, const Hash& root) const;

 private:
  explicit CheckpointSigner(NoteKey key) : key_(std::move(key)) {}

  NoteKey key_;
};

/// Can a signed note carry it as the name of a log?
bool is_origin(std::string_view text);

/// The origin of a hub that configures none: carehub/ and its name, in letters that an origin may have.
std::string default_origin(std::string_view hub_name);

/// Replaces a file that others read (0644) as one: under its name there is the old text or the new one,
/// whole, power cuts included.
Result<void> replace_public_file(const std::filesystem::path& path, std::string_view text);

}  // namespace carehub::storage
