#pragma once

#include <array>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/random.hpp"
#include "broker/base/result.hpp"

namespace carehub::storage {

/// An Ed25519 key that signs notes under a name (https://c2sp.org/signed-note), as a log or as a witness of
/// logs. Wiped when it goes away. Thread-safe.
class NoteKey {
 public:
  enum class Kind : std::uint8_t { log = 0x01, witness = 0x04 };

  /// A new key. `invalid` for a name that no note can carry; `what` says whose name it is.
  static Result<NoteKey> make(Kind kind, const std::string& name, const char* what, Random& random);
  /// What secret_text() gave: PRIVATE+KEY+name+id+base64, as Go's sumdb/note writes it. `corrupt` for all
  /// else, and for a key of another kind.
  static Result<NoteKey> parse(Kind kind, std::string_view secret_text);

  NoteKey(const NoteKey&) = default;
  NoteKey& operator=(const NoteKey&) = default;
  NoteKey(NoteKey&&) = default;
  NoteKey& operator=(NoteKey&&) = default;
  ~NoteKey();

  const std::string& name() const { return name_; }
  /// The verifier key, name+id+base64, for whoever checks.
  std::string public_text() const;
  std::string secret_text() const;

  /// The line of a note that carries the signature of `message`, with `before` in front of it.
  std::string signature_line(std::string_view message, BytesView before = {}) const;

 private:
  NoteKey(Kind kind, std::string name, const std::array<std::uint8_t, 32>& seed);
  std::array<std::uint8_t, 4> id() const;
  std::string keyed_base64(BytesView key) const;

  Kind kind_;
  std::string name_;
  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 32> public_{};
  std::array<std::uint8_t, 64> secret_{};
};

/// Can a signed note carry it? 1 to 128 characters, no space, plus or control character.
bool is_note_name(std::string_view text);

/// Standard base64 with its padding.
std::string to_base64(BytesView bytes);

}  // namespace carehub::storage
