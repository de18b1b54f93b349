#include "broker/storage/witness_memory.hpp"

#include "broker/storage/sha256.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNewest = ".checkpoint";
constexpr const char* kRemembered = ".fork.remembered";
constexpr const char* kShown = ".fork.shown";
constexpr const char* kLock = "lock";
constexpr std::size_t kReadableCharactersMax = 40;
constexpr std::size_t kHashBytes = 8;

/// Something that a person can read, and a hash, since an origin may hold what a file's name may not.
std::string file_name(const std::string& origin) {
  std::string name;
  for (const char c : origin.substr(0, kReadableCharactersMax)) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    name += plain ? c : '-';
  }
  const Hash hash = sha256({bytes_of(origin)});
  return name + "-" + to_hex(BytesView(hash).first(kHashBytes));
}

}  // namespace

Result<WitnessMemory> WitnessMemory::open(const fs::path& directory) {
  if (auto made = make_writable_directory(directory); !made) return tl::unexpected(made.error());
  auto lock = File::open(directory / kLock);
  if (!lock && lock.error().kind == ErrorKind::not_found) lock = File::create(directory / kLock);
  if (!lock) return tl::unexpected(lock.error());
  if (auto locked = lock->lock(); !locked) {
    return fail(ErrorKind::unavailable, directory.string() +
                                            ": another witness remembers here. Stop that one first, or give "
                                            "this one a directory of its own");
  }
  return WitnessMemory(directory, *std::move(lock));
}

fs::path WitnessMemory::file(const std::string& origin, const char* end) const {
  return directory_ / (file_name(origin) + end);
}

Result<std::optional<std::string>> WitnessMemory::newest(const std::string& origin) const {
  const auto file = File::open_to_read(this->file(origin, kNewest));
  if (!file && file.error().kind == ErrorKind::not_found) return std::optional<std::string>();
  if (!file) return tl::unexpected(file.error());
  const auto bytes = file->read_at(0, verify::kCheckpointBytesMax + 1);
  if (!bytes) return tl::unexpected(bytes.error());
  return std::optional<std::string>(text_of(*bytes));
}

Result<void> WitnessMemory::remember(const std::string& origin, std::string_view checkpoint) {
  return write_whole(file(origin, kNewest), bytes_of(checkpoint));
}

Result<std::optional<fs::path>> WitnessMemory::fork(const std::string& origin) const {
  for (const char* end : {kShown, kRemembered}) {
    const fs::path path = file(origin, end);
    std::error_code error;
    if (fs::exists(path, error)) return std::optional<fs::path>(path);
    if (error)
      return fail(ErrorKind::unavailable, path.string() + ": cannot be looked at: " + error.message());
  }
  return std::optional<fs::path>();
}

Result<fs::path> WitnessMemory::keep_fork(const std::string& origin, std::string_view remembered,
                                          std::string_view shown) {
  fs::path path = file(origin, kShown);
  if (auto put = write_whole(file(origin, kRemembered), bytes_of(remembered)); !put)
    return tl::unexpected(put.error());
  if (auto put = write_whole(path, bytes_of(shown)); !put) return tl::unexpected(put.error());
  return path;
}

}  // namespace carehub::storage
