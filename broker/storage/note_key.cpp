#include "broker/storage/note_key.hpp"

#include <sodium.h>

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/secret_file.hpp"
#include "broker/base/utf8.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

constexpr std::string_view kSecretPrefix = "PRIVATE+KEY+";

}  // namespace

NoteKey::NoteKey(Kind kind, std::string name, const std::array<std::uint8_t, 32>& seed)
    : kind_(kind), name_(std::move(name)), seed_(seed) {
  CAREHUB_ASSERT(sodium_init() >= 0, "libsodium starts");
  crypto_sign_ed25519_seed_keypair(public_.data(), secret_.data(), seed_.data());
}

NoteKey::~NoteKey() {
  sodium_memzero(seed_.data(), seed_.size());
  sodium_memzero(secret_.data(), secret_.size());
}

Result<NoteKey> NoteKey::make(Kind kind, const std::string& name, const char* what, Random& random) {
  if (!is_note_name(name)) {
    return fail(ErrorKind::invalid, std::string(what) +
                                        " has 1 to 128 characters and no space or plus: write it like a web "
                                        "address without https://, such as hub.northmarch.example/ledger");
  }
  std::array<std::uint8_t, 32> seed{};
  random.fill(seed);
  NoteKey key(kind, name, seed);
  sodium_memzero(seed.data(), seed.size());
  return key;
}

Result<NoteKey> NoteKey::parse(Kind kind, std::string_view text) {
  const auto wrong =
      fail(ErrorKind::corrupt, std::string("this is no signing key of a ") +
                                   (kind == Kind::log ? "ledger" : "witness") + ", or it is damaged");
  if (!text.starts_with(kSecretPrefix)) return wrong;
  text.remove_prefix(kSecretPrefix.size());
  const auto plus = text.find('+');
  const auto second = plus == std::string_view::npos ? plus : text.find('+', plus + 1);
  if (second == std::string_view::npos || !is_note_name(text.substr(0, plus))) return wrong;
  const std::string_view digits = text.substr(second + 1);
  std::array<std::uint8_t, 34> bytes{};
  std::size_t size = 0;
  const int read = sodium_base642bin(bytes.data(), bytes.size(), digits.data(), digits.size(), nullptr, &size,
                                     nullptr, sodium_base64_VARIANT_ORIGINAL);
  const bool ascii =
      std::all_of(digits.begin(), digits.end(), [](char c) { return static_cast<std::uint8_t>(c) < 0x7F; });
  if (!ascii || read != 0 || size != 33 || bytes[0] != static_cast<std::uint8_t>(kind)) return wrong;
  std::array<std::uint8_t, 32> seed{};
  std::copy_n(bytes.begin() + 1, seed.size(), seed.begin());
  NoteKey key(kind, std::string(text.substr(0, plus)), seed);
  sodium_memzero(bytes.data(), bytes.size());
  sodium_memzero(seed.data(), seed.size());
  if (to_hex(key.id()) != text.substr(plus + 1, second - plus - 1)) return wrong;
  return key;
}

std::array<std::uint8_t, 4> NoteKey::id() const {
  const std::array<std::uint8_t, 2> between = {0x0A, static_cast<std::uint8_t>(kind_)};
  const Hash hash = sha256({bytes_of(name_), between, public_});
  return {hash[0], hash[1], hash[2], hash[3]};
}

std::string NoteKey::keyed_base64(BytesView key) const {
  Bytes bytes = {static_cast<std::uint8_t>(kind_)};
  bytes.insert(bytes.end(), key.begin(), key.end());
  std::string text = to_base64(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

std::string NoteKey::public_text() const { return name_ + "+" + to_hex(id()) + "+" + keyed_base64(public_); }

std::string NoteKey::secret_text() const {
  auto key = keyed_base64(seed_);
  std::string text;
  text.reserve(kSecretPrefix.size() + name_.size() + key.size() + 2 * id().size() + 3);  // and a line's end
  text.append(kSecretPrefix).append(name_).append("+").append(to_hex(id())).append("+").append(key);
  wipe(key);
  return text;
}

std::string NoteKey::signature_line(std::string_view message, BytesView before) const {
  const auto key_id = id();
  Bytes signature(key_id.begin(), key_id.end());
  signature.insert(signature.end(), before.begin(), before.end());
  signature.resize(signature.size() + crypto_sign_ed25519_BYTES);
  crypto_sign_ed25519_detached(signature.data() + signature.size() - crypto_sign_ed25519_BYTES, nullptr,
                               bytes_of(message).data(), message.size(), secret_.data());
  return "\xE2\x80\x94 " + name_ + " " + to_base64(signature) + "\n";
}

bool is_note_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kNameBytesMax && is_utf8(name) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c != '+' && c != 0x7F && static_cast<std::uint8_t>(c) > 0x20; });
}

std::string to_base64(BytesView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(text.size() - 1);  // its zero
  return text;
}

}  // namespace carehub::storage
