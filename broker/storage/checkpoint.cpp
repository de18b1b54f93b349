#include "broker/storage/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "broker/base/limits.hpp"

namespace carehub::storage {
namespace {

constexpr mode_t kPublicMode = 0644;

tl::unexpected<Error> failed(const std::filesystem::path& path, const char* what) {
  return fail(ErrorKind::unavailable, path.string() + ": cannot " + what + ": " +
                                          std::generic_category().message(errno) + ". Check the disk");
}

}  // namespace

Result<CheckpointSigner> CheckpointSigner::make(const std::string& origin, Random& random) {
  auto key = NoteKey::make(NoteKey::Kind::log, origin, "an origin", random);
  if (!key) return tl::unexpected(key.error());
  return CheckpointSigner(*std::move(key));
}

Result<CheckpointSigner> CheckpointSigner::parse(std::string_view text) {
  auto key = NoteKey::parse(NoteKey::Kind::log, text);
  if (!key) return tl::unexpected(key.error());
  return CheckpointSigner(*std::move(key));
}

std::string CheckpointSigner::sign(std::uint64_t size, const Hash& root) const {
  const std::string note = origin() + "\n" + std::to_string(size) + "\n" + to_base64(root) + "\n";
  return note + "\n" + key_.signature_line(note);
}

bool is_origin(std::string_view origin) { return is_note_name(origin); }

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
