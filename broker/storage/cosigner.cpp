#include "broker/storage/cosigner.hpp"
#include "broker/base/secret_file.hpp"

#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kFileBytesMax = 4096;
constexpr std::size_t kTimeBytes = 8;

}  // namespace

Result<Cosigner> Cosigner::make(const std::string& name, Random& random) {
  auto key = NoteKey::make(NoteKey::Kind::witness, name, "a witness's name", random);
  if (!key) return tl::unexpected(key.error());
  return Cosigner(*std::move(key));
}

Result<Cosigner> Cosigner::parse(std::string_view text) {
  auto key = NoteKey::parse(NoteKey::Kind::witness, text);
  if (!key) return tl::unexpected(key.error());
  return Cosigner(*std::move(key));
}

std::string Cosigner::cosign(std::string_view body, std::uint64_t at_s) const {
  std::array<std::uint8_t, kTimeBytes> time{};  // big-endian
  for (std::size_t at = 0; at < kTimeBytes; ++at)
    time[at] = static_cast<std::uint8_t>(at_s >> (8 * (kTimeBytes - 1 - at)));
  std::string message = "cosignature/v1\ntime " + std::to_string(at_s) + "\n";
  message += body;
  return key_.signature_line(message, time);
}

Result<void> write_cosigner(const std::filesystem::path& path, const Cosigner& cosigner) {
  auto file = File::create(path);
  if (!file) return tl::unexpected(file.error());
  auto text = cosigner.secret_text() + "\n";
  const auto put = file->write_at(0, bytes_of(text));
  wipe(text);
  return put ? file->sync() : put;
}

Result<Cosigner> read_cosigner(const std::filesystem::path& path) {
  if (is_open_to_others(path)) {
    return fail(ErrorKind::invalid, "others may read the witness's key " + path.string() +
                                        ": chmod 600 it, and think about a new one");
  }
  const auto text = read_secret_file(path, kFileBytesMax);
  if (!text) return tl::unexpected(text.error());
  auto cosigner = Cosigner::parse(text->view().substr(0, text->view().find('\n')));
  if (!cosigner) return fail(cosigner.error().kind, path.string() + ": " + cosigner.error().text);
  return cosigner;
}

}  // namespace carehub::storage
