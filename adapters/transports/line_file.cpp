#include "adapters/transports/line_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "adapters/transports/file_descriptor.hpp"
#include "adapters/transports/send_queue.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kFilesADayMax = 100'000;
constexpr std::size_t kBatchBytesMax = 8U << 20U;  // of lines under one sync
constexpr std::size_t kTailBytes = 64U << 10U;     // read at once while a line's end is looked for

SendResult outcome(int error) {
  if (error == 0) return {};
  return {ledger::NakKind::unavailable, "shadow file: " + file_fault(error), 0};
}

/// Cuts off what follows the last whole line. 0 or an errno; `size` is what is left.
int cut_torn_line(int fd, std::uint64_t& size) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno;
  size = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t whole = size;
  std::array<char, kTailBytes> tail;
  while (whole > 0) {
    const std::uint64_t from = whole > tail.size() ? whole - tail.size() : 0;
    const auto wanted = static_cast<std::size_t>(whole - from);
    if (::pread(fd, tail.data(), wanted, static_cast<off_t>(from)) != static_cast<ssize_t>(wanted))
      return EIO;
    const std::string_view text(tail.data(), wanted);
    const std::size_t end = text.rfind('\n');
    whole = end == std::string_view::npos ? from : from + end + 1;
    if (end != std::string_view::npos) break;
  }
  if (whole == size) return 0;
  size = whole;
  return ::ftruncate(fd, static_cast<off_t>(whole)) == 0 ? 0 : errno;
}

}  // namespace

struct LineFile::Impl {
  void run() {
    for (;;) {
      const std::vector<SendQueue::Job> batch = queue.take(kBatchBytesMax);
      if (batch.empty()) return;
      const SendResult result = outcome(write(batch));
      for (const SendQueue::Job& job : batch) job.done(result);
    }
  }

  /// All of the batch behind the last whole line, synced, or nothing of it.
  int write(const std::vector<SendQueue::Job>& batch) {
    Bytes lines;
    for (const SendQueue::Job& job : batch)
      lines.insert(lines.end(), job.message.bytes.begin(), job.message.bytes.end());
    for (;;) {
      const fs::path file = name_now();
      // Opened each time: somebody may have moved the file away to look at it.
      const FileDescriptor fd(
          ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
      if (!fd) return errno;
      std::uint64_t size = 0;
      if (const int error = cut_torn_line(fd.get(), size); error != 0) return error;
      if (size > 0 && size + lines.size() > options.file_bytes_max) {
        if (++number > kFilesADayMax) return EFBIG;
        continue;
      }
      const int error = append_synced(fd.get(), lines);
      if (error != 0) {
        // Nothing of it was acked; it comes again whole.
        [[maybe_unused]] const int cut = ::ftruncate(fd.get(), static_cast<off_t>(size));
        return error;
      }
      return size == 0 ? sync_directory(options.directory) : 0;
    }
  }

  fs::path name_now() {
    const SystemClock system;
    const Clock& clock = options.clock == nullptr ? system : *options.clock;
    const std::string today = to_rfc3339(clock.now()).substr(0, 10);
    if (today != day) {
      day = today;
      number = 1;
      // Behind what was written before a restart.
      struct stat status{};
      while (number < kFilesADayMax && ::lstat(file_of_day(number + 1).c_str(), &status) == 0) ++number;
    }
    return file_of_day(number);
  }

  fs::path file_of_day(unsigned which) const {
    return options.directory / numbered(options.channel + "-" + day + ".jsonl", which);
  }

  LineFileOptions options;
  std::string day;      // on the writing thread
  unsigned number = 1;  // of the day's files; on the writing thread
  SendQueue queue;      // stops before the rest goes
};

LineFile::LineFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->queue.start([running = impl_.get()] { running->run(); });
}

Result<std::unique_ptr<LineFile>> LineFile::make(LineFileOptions options) {
  const std::string folder = "the folder " + options.directory.string();
  std::error_code error;
  if (!fs::is_directory(options.directory, error))
    return fail(ErrorKind::unavailable, folder + " is missing. Make it");
  if (::access(options.directory.c_str(), W_OK | X_OK) != 0) {
    return fail(ErrorKind::unavailable,
                folder + " is not writable (" + file_fault(errno) + "). Let this user write to it");
  }
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  return std::unique_ptr<LineFile>(new LineFile(std::move(impl)));
}

LineFile::~LineFile() { stop(); }

void LineFile::send(Rendered message, std::function<void(SendResult)> done) {
  impl_->queue.send(std::move(message), std::move(done));
}

void LineFile::stop() { impl_->queue.stop(); }

}  // namespace carehub::adapters
