#include "broker/app/key_files.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/json_line.hpp"
#include "broker/base/assert.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::app {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyCharacters = 40;
constexpr std::size_t kKeyFileBytesMax = 4096;
using Key = std::array<unsigned char, kKeyBytes>;
static_assert(kKeyBytes == crypto_box_PUBLICKEYBYTES && kKeyBytes == crypto_box_SECRETKEYBYTES);

constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// ZeroMQ RFC 32: four bytes, big-endian, become five digits.
std::string to_z85(const Key& key) {
  std::string text;
  for (std::size_t at = 0; at < key.size(); at += 4) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8U | key[at + i];
    std::array<char, 5> digits{};
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value /= 85)
      *digit = kDigits[value % 85];
    text.append(digits.data(), digits.size());
  }
  return text;
}

std::optional<Key> from_z85(std::string_view text) {
  if (text.size() != kKeyCharacters) return std::nullopt;
  Key key{};
  for (std::size_t at = 0; at < text.size(); at += 5) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      const auto digit = kDigits.find(text[at + i]);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 85 + digit;
    }
    if (value > 0xFFFFFFFFU) return std::nullopt;
    for (std::size_t i = 0; i < 4; ++i)
      key[at / 5 * 4 + i] = static_cast<unsigned char>(value >> (24 - 8 * i));
  }
  return key;
}

std::string system_text() { return std::error_code(errno, std::generic_category()).message(); }

Result<void> write_new(const std::filesystem::path& file, const std::string& text, mode_t mode) {
  const int out = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (out < 0 && errno == EEXIST) {
    return fail(ErrorKind::conflict,
                file.string() + " exists; a key is never overwritten: remove it first, or give another name");
  }
  if (out < 0) return fail(ErrorKind::invalid, file.string() + " cannot be written: " + system_text());
  const bool written =
      write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(out) == 0;
  const std::string why = written ? "" : system_text();
  close(out);
  if (!written) {
    unlink(file.c_str());
    return fail(ErrorKind::invalid, file.string() + " cannot be written: " + why);
  }
  return {};
}

std::filesystem::path with_ending(const std::filesystem::path& name, const char* ending) {
  return std::filesystem::path(name) += ending;
}

Result<Key> read_key(const std::filesystem::path& file) {
  const auto text = read_secret_file(file, kKeyFileBytesMax);
  if (!text) return fail(ErrorKind::invalid, "the key file: " + text.error().text);
  auto line = text->view().substr(0, text->view().find('\n'));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  const auto key = from_z85(line);
  if (!key)
    return fail(ErrorKind::invalid,
                "the key file does not hold one Z85 key of 40 characters: " + file.string());
  return *key;
}

}  // namespace

KeyPair make_key_pair() {
  CAREHUB_ASSERT(sodium_init() >= 0, "libsodium starts");
  Key public_key{};
  Key secret_key{};
  crypto_box_keypair(public_key.data(), secret_key.data());
  KeyPair keys{to_z85(public_key), to_z85(secret_key)};
  sodium_memzero(secret_key.data(), secret_key.size());
  return keys;
}

Result<void> write_key_pair(const std::filesystem::path& name, const KeyPair& keys) {
  const auto public_file = with_ending(name, ".public");
  std::error_code error;
  const bool exists = std::filesystem::exists(public_file, error);
  if (error) {
    return fail(ErrorKind::unavailable, public_file.string() + " cannot be looked at: " + error.message() +
                                            ". Check the path and the rights of this user");
  }
  if (exists) {
    return fail(
        ErrorKind::conflict,
        public_file.string() + " exists; a key is never overwritten: remove it first, or give another name");
  }
  if (auto written = write_new(with_ending(name, ".secret"), keys.secret_key + "\n", 0600); !written)
    return written;
  return write_new(public_file, keys.public_key + "\n", 0644);
}

Result<std::string> read_public_key(const std::filesystem::path& file) {
  const auto key = read_key(file);
  if (!key) return tl::unexpected(key.error());
  return to_z85(*key);
}

Result<KeyPair> read_secret_key(const std::filesystem::path& file) {
  if (is_open_to_others(file)) {
    return fail(ErrorKind::invalid, "others may read the secret key " + file.string() +
                                        ": chmod 600 it, and think about a new one");
  }
  auto secret = read_key(file);
  if (!secret) return tl::unexpected(secret.error());
  Key public_key{};
  crypto_scalarmult_base(public_key.data(), secret->data());
  KeyPair keys{to_z85(public_key), to_z85(*secret)};
  sodium_memzero(secret->data(), secret->size());
  return keys;
}

ExitCode keys(const KeysOptions& options, Surroundings& surroundings) {
  const KeyPair pair = make_key_pair();
  if (auto written = write_key_pair(options.file, pair); !written)
    return complain(surroundings, written.error());
  if (options.json) {
    JsonLine line;
    line.add("secret_file", with_ending(options.file, ".secret").string());
    line.add("public_file", with_ending(options.file, ".public").string());
    surroundings.out << line.add("public_key", pair.public_key).text() << std::endl;
    return ExitCode::ok;
  }
  surroundings.out << with_ending(options.file, ".secret").string()
                   << "  keep it to its process's user (0600)\n"
                   << with_ending(options.file, ".public").string()
                   << "  give it to the other side: " << pair.public_key << std::endl;
  return ExitCode::ok;
}

}  // namespace carehub::app
