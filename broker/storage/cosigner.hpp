#pragma once

#include <filesystem>

#include "broker/storage/note_key.hpp"

namespace carehub::storage {

/// Adds a witness's word to a checkpoint that somebody else signed: "I have seen it, at this time, and it
/// extends what I saw before" (https://c2sp.org/tlog-cosignature, cosignature/v1). Thread-safe.
class Cosigner {
 public:
  /// A new key. `invalid` for a name that no signed note can carry.
  static Result<Cosigner> make(const std::string& name, Random& random);
  static Result<Cosigner> parse(std::string_view secret_text);

  const std::string& name() const { return key_.name(); }
  /// The verifier key, for the people of the hub and for whoever checks.
  std::string public_text() const { return key_.public_text(); }
  std::string secret_text() const { return key_.secret_text(); }

  /// The signature's line; `body` is what the log signed: origin, size and root with their line ends.
  std::string cosign(std::string_view body, std::uint64_t at_s) const;

 private:
  explicit Cosigner(NoteKey key) : key_(std::move(key)) {}
  NoteKey key_;
};

/// Writes a new key into a file of its owner's alone (0600), synced. `conflict` where there is one: a key is
/// never overwritten.
Result<void> write_cosigner(const std::filesystem::path& file, const Cosigner& cosigner);

/// Errors: `not_found`, `invalid` (others may read it), `corrupt` (it is no witness's key, or damaged).
Result<Cosigner> read_cosigner(const std::filesystem::path& file);

}  // namespace carehub::storage
