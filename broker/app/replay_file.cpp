#include "broker/app/replay_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace carehub::app {
namespace {

constexpr std::size_t kLineBytesMax = 64U << 20U;
constexpr std::size_t kChunkBytes = 64U << 10U;
constexpr std::string_view kLineStart = "{\"sequence\":";

auto failed(const std::filesystem::path& file, const char* what) {
  return fail(ErrorKind::unavailable,
              file.string() + ": it cannot be " + what + " (" + std::strerror(errno) + ")");
}

/// From a line's start; 0: it has none.
Sequence sequence_of(std::string_view line) {
  Sequence sequence = 0;
  if (!line.starts_with(kLineStart)) return 0;
  line.remove_prefix(kLineStart.size());
  std::from_chars(line.data(), line.data() + line.size(), sequence);
  return sequence;
}

}  // namespace

ReplayFile::ReplayFile(ReplayFile&& other) noexcept
    : file_(std::move(other.file_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      last_sequence_(other.last_sequence_) {}

ReplayFile::~ReplayFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<ReplayFile> ReplayFile::open(const std::filesystem::path& file, bool resume) {
  ReplayFile opened(file);
  constexpr mode_t kOwnerAlone = 0600;
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_EXCL);
  opened.descriptor_ = ::open(file.c_str(), flags, kOwnerAlone);
  if (opened.descriptor_ < 0 && errno == EEXIST) {
    return fail(ErrorKind::conflict, file.string() +
                                         ": there is such a file already. Add --resume to go on behind its "
                                         "last whole line, or name another");
  }
  if (opened.descriptor_ < 0) return failed(file, "opened");
  struct stat about{};
  if (::fstat(opened.descriptor_, &about) != 0) return failed(file, "read");
  if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid, file.string() + ": it is no regular file");
  if (::flock(opened.descriptor_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorKind::conflict, file.string() + ": another replay writes to it");
  if (auto cut = opened.cut_off_half_line(); !cut) return tl::unexpected(cut.error());
  return opened;
}

/// Reads backwards until the last whole line is there.
Result<void> ReplayFile::cut_off_half_line() {
  off_t start = ::lseek(descriptor_, 0, SEEK_END);
  if (start < 0) return failed(file_, "read");
  std::string tail;  // of the file, from `start`
  auto end = std::string::npos;
  auto line = std::string::npos;
  while (line == std::string::npos && start > 0) {
    if (tail.size() > kLineBytesMax)
      return fail(ErrorKind::invalid, file_.string() + ": its last line is none of a replay's");
    const auto size = std::min<off_t>(start, kChunkBytes);
    std::string chunk(static_cast<std::size_t>(size), '\0');
    if (::pread(descriptor_, chunk.data(), chunk.size(), start - size) != size) return failed(file_, "read");
    start -= size;
    tail.insert(0, chunk);
    end = tail.rfind('\n');
    if (end != std::string::npos && end > 0) line = tail.rfind('\n', end - 1);
  }
  const auto begin = line == std::string::npos ? 0 : line + 1;
  if (end != std::string::npos) {
    last_sequence_ = sequence_of(std::string_view(tail).substr(begin, end - begin));
    if (last_sequence_ == 0) {
      return fail(ErrorKind::invalid,
                  file_.string() + ": its last line is none of a replay's. Name another file");
    }
  }
  const off_t whole = end == std::string::npos ? 0 : start + static_cast<off_t>(end) + 1;
  if (::ftruncate(descriptor_, whole) != 0 || ::lseek(descriptor_, whole, SEEK_SET) != whole)
    return failed(file_, "cut");
  return {};
}

Result<void> ReplayFile::append(std::string_view lines) {
  while (!lines.empty()) {
    const auto written = ::write(descriptor_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(file_, "written");
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> ReplayFile::finish() {
  if (::fsync(descriptor_) != 0) return failed(file_, "synced");
  const auto directory = std::filesystem::absolute(file_).parent_path();
  const int opened = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return failed(directory, "opened");
  const bool synced = ::fsync(opened) == 0;
  ::close(opened);
  if (!synced) return failed(directory, "synced");
  return {};
}

}  // namespace carehub::app
