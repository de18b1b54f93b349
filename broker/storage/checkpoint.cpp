#include "broker/storage/checkpoint.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "broker/base/assert.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;
constexpr std::string_view kSecretPrefix = "PRIVATE+KEY+";
constexpr mode_t kPublicMode = 0644;

std::string base64(BytesView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(text.size() - 1);  // its zero
  return text;
}

std::string keyed_base64(BytesView key) {
  std::vector<std::uint8_t> bytes = {kEd25519};
  bytes.insert(bytes.end(), key.begin(), key.end());
  std::string text = base64(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

tl::unexpected<Error> failed(const std::filesystem::path& path, const char* what) {
  return fail(ErrorKind::unavailable, path.string() + ": cannot " + what + ": " +
                                          std::generic_category().message(errno) + ". Check the disk");
}

}  // namespace

CheckpointSigner::CheckpointSigner(std::string origin, const std::array<std::uint8_t, 32>& seed)
    : origin_(std::move(origin)), seed_(seed) {
  CAREHUB_ASSERT(sodium_init() >= 0, "libsodium starts");
  crypto_sign_ed25519_seed_keypair(public_.data(), secret_.data(), seed_.data());
}

CheckpointSigner::~CheckpointSigner() {
  sodium_memzero(seed_.data(), seed_.size());
  sodium_memzero(secret_.data(), secret_.size());
}

Result<CheckpointSigner> CheckpointSigner::make(const std::string& origin, Random& random) {
  if (!is_origin(origin)) {
    return fail(ErrorKind::invalid,
                "an origin has 1 to 128 characters and no space or plus: write it like a web address without "
                "https://, such as hub.northmarch.example/ledger");
  }
  std::array<std::uint8_t, 32> seed{};
  random.fill(seed);
  CheckpointSigner signer(origin, seed);
  sodium_memzero(seed.data(), seed.size());
  return signer;
}

Result<CheckpointSigner> CheckpointSigner::parse(std::string_view text) {
  const auto wrong = fail(ErrorKind::corrupt, "this is no signing key of a ledger, or it is damaged");
  if (!text.starts_with(kSecretPrefix)) return wrong;
  text.remove_prefix(kSecretPrefix.size());
  const auto plus = text.find('+');
  const auto second = plus == std::string_view::npos ? plus : text.find('+', plus + 1);
  if (second == std::string_view::npos || !is_origin(text.substr(0, plus))) return wrong;
  const std::string_view digits = text.substr(second + 1);
  std::array<std::uint8_t, 34> bytes{};
  std::size_t size = 0;
  const int read = sodium_base642bin(bytes.data(), bytes.size(), digits.data(), digits.size(), nullptr, &size,
                                     nullptr, sodium_base64_VARIANT_ORIGINAL);
  const bool ascii =
      std::all_of(digits.begin(), digits.end(), [](char c) { return static_cast<std::uint8_t>(c) < 0x7F; });
  if (!ascii || read != 0 || size != 33 || bytes[0] != kEd25519) return wrong;
  std::array<std::uint8_t, 32> seed{};
  std::copy_n(bytes.begin() + 1, seed.size(), seed.begin());
  CheckpointSigner signer(std::string(text.substr(0, plus)), seed);
  sodium_memzero(bytes.data(), bytes.size());
  sodium_memzero(seed.data(), seed.size());
  if (to_hex(signer.id()) != text.substr(plus + 1, second - plus - 1)) return wrong;
  return signer;
}

std::array<std::uint8_t, 4> CheckpointSigner::id() const {
  constexpr std::array<std::uint8_t, 2> kBetween = {0x0A, kEd25519};
  const Hash hash = sha256({bytes_of(origin_), kBetween, public_});
  return {hash[0], hash[1], hash[2], hash[3]};
}

std::string CheckpointSigner::public_text() const {
  return origin_ + "+" + to_hex(id()) + "+" + keyed_base64(public_);
}

std::string CheckpointSigner::secret_text() const {
  return std::string(kSecretPrefix) + origin_ + "+" + to_hex(id()) + "+" + keyed_base64(seed_);
}

std::string CheckpointSigner::sign(std::uint64_t size, const Hash& root) const {
  std::string note = origin_ + "\n" + std::to_string(size) + "\n" + base64(root) + "\n";
  const auto key_id = id();
  std::array<std::uint8_t, 4 + crypto_sign_ed25519_BYTES> signature{};
  std::copy(key_id.begin(), key_id.end(), signature.begin());
  crypto_sign_ed25519_detached(signature.data() + key_id.size(), nullptr, bytes_of(note).data(), note.size(),
                               secret_.data());
  note += "\n\xE2\x80\x94 " + origin_ + " " + base64(signature) + "\n";
  return note;
}

bool is_origin(std::string_view origin) {
  return !origin.empty() && origin.size() <= limits::kNameBytesMax && is_utf8(origin) &&
         std::all_of(origin.begin(), origin.end(),
                     [](char c) { return c != '+' && c != 0x7F && static_cast<std::uint8_t>(c) > 0x20; });
}

std::string default_origin(std::string_view hub_name) {
  std::string origin = "carehub/";
  for (const char c : hub_name.substr(0, limits::kNameBytesMax / 2)) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    origin += upper ? static_cast<char>(c - 'A' + 'a') : plain ? c : '-';
  }
  return origin;
}

Result<void> replace_public_file(const std::filesystem::path& path, std::string_view text) {
  const std::string draft = path.string() + ".new";
  const int out = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kPublicMode);
  if (out < 0) return failed(path, "write");
  const ssize_t put = ::write(out, text.data(), text.size());
  const bool written = put == static_cast<ssize_t>(text.size()) && ::fdatasync(out) == 0;
  const int error = put >= 0 && put < static_cast<ssize_t>(text.size()) ? ENOSPC : errno;
  ::close(out);
  errno = error;
  if (!written) return failed(path, "write");
  if (::rename(draft.c_str(), path.c_str()) != 0) return failed(path, "replace");
  return {};
}

}  // namespace carehub::storage
