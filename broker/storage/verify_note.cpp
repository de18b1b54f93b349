#include "broker/storage/verify_note.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "broker/base/utf8.hpp"

namespace carehub::storage::verify {
namespace {

constexpr std::string_view kSignatureMark = "\xE2\x80\x94 ";  // an em dash and a space
constexpr std::size_t kIdBytes = 4;
constexpr std::string_view kLastSize = " signs no tree of more than ";
constexpr std::string_view kLastSizeEnd = " entries";

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::invalid, "the checkpoint does not hold: " + why);
}

/// The next line without its end; nothing where no line ends.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

bool is_name(std::string_view text) {
  // Of Unicode's spaces the ASCII one is what ends a name here; control characters are refused before.
  return !text.empty() && text.find_first_of(" +") == std::string_view::npos;
}

std::array<std::uint8_t, kIdBytes> id_of(std::string_view name, std::uint8_t kind, BytesView key) {
  crypto_hash_sha256_state state;
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> hash{};
  const BytesView text = bytes_of(name);
  constexpr std::uint8_t kNewline = 0x0A;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, text.data(), text.size());
  crypto_hash_sha256_update(&state, &kNewline, 1);
  crypto_hash_sha256_update(&state, &kind, 1);
  crypto_hash_sha256_update(&state, key.data(), key.size());
  crypto_hash_sha256_final(&state, hash.data());
  return {hash[0], hash[1], hash[2], hash[3]};
}

Result<Signature> parse_signature(std::string_view line) {
  if (!line.starts_with(kSignatureMark)) return refuse("a signature does not begin with a dash");
  line.remove_prefix(kSignatureMark.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !is_name(line.substr(0, space)))
    return refuse("a signature has no name");
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kIdBytes) return refuse("a signature is no base64, or too short");
  Signature signature;
  signature.name = line.substr(0, space);
  std::copy_n(bytes->begin(), kIdBytes, signature.id.begin());
  signature.bytes.assign(bytes->begin() + kIdBytes, bytes->end());
  return signature;
}

/// As a key's own line begins.
std::string name_of(const Key& key) { return key.name + "+" + to_hex(key.id); }

bool holds(BytesView signature, std::string_view message, const Key& key) {
  return signature.size() == crypto_sign_ed25519_BYTES &&
         crypto_sign_ed25519_verify_detached(signature.data(), bytes_of(message).data(), message.size(),
                                             key.bytes.data()) == 0;
}

const Key* key_of(const Signature& signature, const std::vector<Key>& keys, std::uint8_t kind) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) {
    return key.kind == kind && key.name == signature.name && key.id == signature.id;
  });
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Bytes> from_base64(std::string_view text) {
  // libsodium takes some bytes above ASCII for letters; then one text would have several spellings.
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<std::uint8_t>(c) > 0x7E; }))
    return std::nullopt;
  if (text.empty()) return Bytes();
  Bytes out(text.size());
  std::size_t size = 0;
  if (sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

std::optional<std::uint64_t> from_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return value;
}

Result<Key> parse_key(std::string_view text) {
  const auto wrong = fail(ErrorKind::invalid,
                          "this is no verifier key: it looks like name+0123abcd+base64 (C2SP signed-note)");
  const auto first = text.find('+');
  if (first == std::string_view::npos || text.size() < first + 11 || text[first + 9] != '+') return wrong;
  Key key;
  key.name = text.substr(0, first);
  if (!is_name(key.name) || !is_utf8(key.name)) return wrong;
  const std::string_view id = text.substr(first + 1, 8);
  const auto bytes = from_base64(text.substr(first + 10));
  if (!bytes || bytes->size() != 1 + key.bytes.size()) return wrong;
  key.kind = bytes->front();
  std::copy(bytes->begin() + 1, bytes->end(), key.bytes.begin());
  if (key.kind != Key::kNote && key.kind != Key::kCosignature) return wrong;
  key.id = id_of(key.name, key.kind, key.bytes);
  if (id != to_hex(key.id)) {
    return fail(ErrorKind::invalid, "this verifier key was mistyped: its id is not its bytes'");
  }
  return key;
}

std::string last_size_text(const Key& key, std::uint64_t size) {
  return "# " + name_of(key) + std::string(kLastSize) + std::to_string(size) + std::string(kLastSizeEnd);
}

Result<std::vector<Key>> parse_keys(std::string_view text) {
  std::vector<Key> keys;
  std::map<std::string, std::uint64_t, std::less<>> sizes;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (const auto at = line.find(kLastSize); line.starts_with("# ") && at != std::string_view::npos) {
      const auto number = line.substr(at + kLastSize.size());
      const auto size = from_decimal(number.substr(0, number.find(' ')));
      if (!size) return fail(ErrorKind::invalid, "how long a key signs is no number");
      const auto [known, added] = sizes.try_emplace(std::string(line.substr(2, at - 2)), *size);
      known->second = std::min(known->second, *size);
    }
    if (line.empty() || line.front() == '#') continue;
    auto key = parse_key(line);
    if (!key) return tl::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  for (auto& key : keys) {
    if (const auto size = sizes.find(name_of(key)); size != sizes.end()) key.size_max = size->second;
  }
  return keys;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  if (text.size() > kCheckpointBytesMax) return refuse("it is longer than any checkpoint");
  if (!is_utf8(text)) return refuse("it is not UTF-8");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<std::uint8_t>(c) < 0x20 && c != '\n'; })) {
    return refuse("it has control characters");
  }
  const auto split = text.rfind("\n\n");
  if (split == std::string_view::npos) return refuse("it has no signatures");
  Checkpoint checkpoint;
  checkpoint.body = text.substr(0, split + 1);
  std::string_view rest = checkpoint.body;
  const auto origin = take_line(rest);
  const auto size = take_line(rest);
  const auto root = take_line(rest);
  if (!origin || origin->empty() || !size || !root) return refuse("origin, size or root is missing");
  checkpoint.origin = *origin;
  const auto number = from_decimal(*size);
  if (!number) return refuse("its size is no number");
  checkpoint.size = *number;
  const auto hash = from_base64(*root);
  if (!hash || hash->size() != checkpoint.root.size()) return refuse("its root is not 32 bytes in base64");
  std::copy(hash->begin(), hash->end(), checkpoint.root.begin());
  while (const auto line = take_line(rest)) {
    if (line->empty()) return refuse("it has an empty line");
  }
  for (rest = text.substr(split + 2); !rest.empty();) {
    const auto line = take_line(rest);
    if (!line) return refuse("its last line does not end");
    auto signature = parse_signature(*line);
    if (!signature) return tl::unexpected(signature.error());
    if (checkpoint.signatures.size() == kSignaturesMax) return refuse("it has too many signatures");
    checkpoint.signatures.push_back(std::move(*signature));
  }
  if (checkpoint.signatures.empty()) return refuse("it has no signatures");
  return checkpoint;
}

Result<Key> signer_of(const Checkpoint& checkpoint, const std::vector<Key>& keys) {
  const Key* signer = nullptr;
  for (const Signature& signature : checkpoint.signatures) {
    const Key* key = key_of(signature, keys, Key::kNote);
    if (key == nullptr) continue;
    if (!holds(signature.bytes, checkpoint.body, *key))
      return refuse("the signature of " + key->name + " is wrong");
    if (checkpoint.size > key->size_max) {
      return refuse("the key " + name_of(*key) + " that signed it was replaced at entry " +
                    std::to_string(key->size_max) + ", and it is of " + std::to_string(checkpoint.size));
    }
    if (key->name == checkpoint.origin) signer = key;
  }
  if (signer != nullptr) return *signer;
  return refuse("none of the known keys of `" + checkpoint.origin + "` signed it");
}

Result<std::vector<Cosigned>> cosigners_of(const Checkpoint& checkpoint, const std::vector<Key>& keys) {
  constexpr std::size_t kTimeBytes = 8;
  std::vector<Cosigned> cosigned;
  for (const Signature& signature : checkpoint.signatures) {
    const Key* key = key_of(signature, keys, Key::kCosignature);
    if (key == nullptr) continue;
    std::uint64_t at_s = 0;
    const BytesView bytes = signature.bytes;
    if (bytes.size() < kTimeBytes) return refuse("the cosignature of " + key->name + " is cut short");
    for (const std::uint8_t byte : bytes.first(kTimeBytes)) at_s = (at_s << 8U) | byte;
    const std::string message = "cosignature/v1\ntime " + std::to_string(at_s) + "\n" + checkpoint.body;
    if (!holds(bytes.subspan(kTimeBytes), message, *key))
      return refuse("the cosignature of " + key->name + " is wrong");
    cosigned.push_back({key->name, at_s});
  }
  return cosigned;
}

}  // namespace carehub::storage::verify
