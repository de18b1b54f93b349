#include "adapters/transports/folder_reader.hpp"

#include <fnmatch.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#include "adapters/transports/file_descriptor.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kFilesAtOnceMax = 10'000;  // of one look
constexpr std::uint32_t kAgainFirstMs = 100;
constexpr std::uint32_t kAgainMaxMs = 10'000;
constexpr std::size_t kReasonLinesMax = 10'000;
constexpr unsigned kNumbersMax = 10'000;

/// What tells whether a file has changed since the last look.
struct Look {
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const Look&, const Look&) = default;
};

std::optional<Look> look_at(const fs::path& file) {
  struct stat status{};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return Look{std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_size,
              status.st_ino};
}

/// What became of a file, for its reason file. Texts of the hub and the mapping hold no content.
struct Outcome {
  bool taken = false;  // something of it is with the hub, or was not to be kept
  std::string reasons;
};

Outcome outcome_of(const std::vector<client::PublishResult>& results) {
  Outcome outcome;
  std::size_t refused = 0;
  for (const client::PublishResult& result : results) {
    const auto* refusal = std::get_if<client::Refused>(&result);
    outcome.taken |= refusal == nullptr;
    if (refusal == nullptr || ++refused > kReasonLinesMax) continue;
    outcome.reasons += refusal->place + ": " + refusal->code + ": " + refusal->text + "\n";
  }
  if (refused > 0) {
    outcome.reasons =
        std::to_string(refused) + " of " + std::to_string(results.size()) + " refused\n" + outcome.reasons;
  }
  if (results.empty()) outcome.reasons = "the file holds nothing that the channel reads\n";
  return outcome;
}

}  // namespace

struct FolderReader::Impl : std::enable_shared_from_this<FolderReader::Impl> {
  void run() {
    std::uint32_t again_ms = kAgainFirstMs;
    while (!stopping) {
      const bool well = take_claimed() && claim_complete();
      again_ms = well ? kAgainFirstMs : std::min(again_ms * 2, kAgainMaxMs);
      pause(well ? options.poll_ms : again_ms);
    }
    const std::lock_guard lock(mutex);
    finished = true;
    wake.notify_all();
  }

  /// Files that a crash or a busy hub left in .carehub/. False: try again later.
  bool take_claimed() {
    std::error_code error;
    std::vector<std::string> names;
    for (auto entry = fs::directory_iterator(work(), error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) return complain("cannot be read", error.value());
    std::sort(names.begin(), names.end());
    return std::all_of(names.begin(), names.end(),
                       [this](const std::string& name) { return !stopping && take(name); });
  }

  bool claim_complete() {
    std::error_code error;
    std::map<std::string, Seen> now;
    for (auto entry = fs::directory_iterator(options.directory, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.starts_with(".") || name.ends_with(".done") ||
          ::fnmatch(options.pattern.c_str(), name.c_str(), 0) != 0) {
        continue;
      }
      if (const auto look = look_at(entry->path())) {
        const auto before = seen.find(name);
        const bool same = before != seen.end() && before->second.look == *look;
        now.emplace(name, Seen{*look, same ? before->second.since : Clock::now()});
      }
      if (now.size() == kFilesAtOnceMax) break;
    }
    if (error) return complain("cannot be read", error.value());
    complained = false;
    std::vector<std::pair<Look, std::string>> complete;
    for (const auto& [name, found] : now) {
      if (is_complete(name, found.look)) complete.emplace_back(found.look, name);
    }
    seen = std::move(now);
    std::sort(complete.begin(), complete.end());  // oldest first: facts about a child in their order
    for (const auto& [look, name] : complete) {
      if (stopping) return true;
      // Never over a file that is claimed already.
      if (const int failed = rename_new(options.directory / name, work() / name); failed != 0) {
        if (failed == ENOENT) continue;  // its owner took it back
        return complain("does not let a file be claimed", failed);
      }
      if (options.done_file) ::unlink((options.directory / (name + ".done")).c_str());
      seen.erase(name);
      if (!take(name)) return false;
    }
    return true;
  }

  bool is_complete(const std::string& name, const Look& look) const {
    if (options.done_file) return look_at(options.directory / (name + ".done")).has_value();
    const auto before = seen.find(name);
    // A network share may stall in the middle of an upload. Our own clock counts: that of a share may be
    // wrong.
    return before != seen.end() && before->second.look == look &&
           Clock::now() - before->second.since >= std::chrono::milliseconds(options.quiet_ms);
  }

  /// Hands one claimed file over and puts it where it belongs. False: it stays claimed, try again later.
  bool take(const std::string& name) {
    const auto look = look_at(work() / name);
    const auto known = decided.find(name);
    if (known != decided.end() && look && known->second.look == *look) {
      return put_away(name, known->second.outcome);
    }
    decided.erase(name);
    Bytes bytes;
    const int error = read_whole(work() / name, options.file_bytes_max, bytes);
    if (error == EFBIG) {
      return put_away(name, {false, "the file is over the limit of " +
                                        std::to_string(options.file_bytes_max) + " bytes: split it\n"});
    }
    if (error == ENXIO || error == ELOOP) return put_away(name, {false, "this is not a regular file\n"});
    if (error == EACCES) return put_away(name, {false, "this user may not read the file\n"});
    if (error != 0) return complain("does not let a file be read", error);
    if (bytes.empty()) return put_away(name, {false, "the file is empty\n"});
    const auto reply = hand_over(name, std::move(bytes));
    if (!reply || reply->busy) return false;
    // Its owner still had it open and has written on. All of it is taken at the next look, when the hub knows
    // the rows that it has; the files behind it need not wait.
    if (!look || look_at(work() / name) != look) return true;
    const Outcome outcome = outcome_of(reply->results);
    decided.emplace(name, Decided{*look, outcome});
    return put_away(name, outcome);
  }

  /// nullopt: the reader stops before there was an answer.
  std::optional<TransportReply> hand_over(const std::string& name, Bytes bytes) {
    const auto answer = std::make_shared<std::optional<TransportReply>>();
    receive(std::move(bytes), Arrival{SystemClock().now(), name, {}},
            [self = shared_from_this(), answer](TransportReply reply) {
              const std::lock_guard lock(self->mutex);
              *answer = std::move(reply);
              self->wake.notify_all();
            });
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return answer->has_value() || gave_up; });
    return std::move(*answer);
  }

  bool put_away(const std::string& name, const Outcome& outcome) {
    const fs::path refused = options.directory / "refused";
    // Somebody tidied up: without them a file could not leave.
    for (const char* folder : {"done", "refused"}) {
      std::error_code ignored;
      fs::create_directory(options.directory / folder, ignored);
    }
    const fs::path home = outcome.taken ? options.directory / "done" : refused;
    std::string free_name;
    for (unsigned number = 1; number <= kNumbersMax && free_name.empty(); ++number) {
      const std::string candidate = numbered(name, number);
      if (!fs::exists(fs::symlink_status(home / candidate))) free_name = candidate;
    }
    if (free_name.empty()) return complain("has no name left in " + home.filename().string(), EEXIST);
    if (!outcome.reasons.empty()) {
      // Before the file moves, and again after a crash in between: the reasons are then told twice, never not
      // at all.
      const fs::path reasons = refused / (free_name + ".reason.txt");
      ::unlink(reasons.c_str());
      const int error = write_synced(reasons, bytes_of(outcome.reasons));
      if (error != 0) return complain("does not let the reasons of a refusal be written", error);
    }
    const int error = rename_new(work() / name, home / free_name);
    if (error != 0) return complain("does not let a file be put away", error);
    decided.erase(name);
    return true;
  }

  /// Once for each trouble: a folder that is away for a weekend must not fill the log.
  bool complain(const std::string& what, int error) {
    if (!complained) {
      spdlog::error("channel={} code=CH-FOLDER alarm=true folder {} {}: {}", options.channel,
                    options.directory.string(), what, file_fault(error));
    }
    complained = true;
    return false;
  }

  void pause(std::uint32_t time_ms) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, std::chrono::milliseconds(time_ms), [this] { return stopping.load(); });
  }

  fs::path work() const { return options.directory / ".carehub"; }

  FolderReaderOptions options;
  Receive receive;
  struct Decided {
    Look look;
    Outcome outcome;
  };
  struct Seen {
    Look look;
    Clock::time_point since;  // looks alike since then
  };
  std::map<std::string, Seen> seen;
  // What the hub has said of claimed files that could not be put away; they are not handed over again.
  std::map<std::string, Decided> decided;
  bool complained = false;
  std::mutex mutex;  // guards what the answering thread and stop() touch
  std::condition_variable wake;
  std::atomic<bool> stopping{false};
  bool gave_up = false;
  bool finished = false;
  std::thread thread;
};

FolderReader::FolderReader(FolderReaderOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->options = std::move(options);
}

FolderReader::~FolderReader() { stop(); }

Result<void> FolderReader::start(Receive receive) {
  Impl& impl = *impl_;
  const FolderReaderOptions& options = impl.options;
  const std::string thing = "channel " + options.channel + ": the folder " + options.directory.string();
  std::error_code error;
  if (options.create) fs::create_directories(options.directory, error);
  if (!fs::is_directory(options.directory, error)) {
    return fail(ErrorKind::unavailable, thing + " is missing. Make it, mount it, or set create = true");
  }
  for (const char* name : {".carehub", "done", "refused"}) {
    error.clear();
    fs::create_directory(options.directory / name, error);
    if (error) {
      return fail(ErrorKind::unavailable,
                  thing + " is not writable (" + file_fault(error.value()) + "). Let this user write to it");
    }
  }
  impl.receive = std::move(receive);
  impl.thread = std::thread([impl = impl_] { impl->run(); });
  return {};
}

void FolderReader::stop() {
  Impl& impl = *impl_;
  if (!impl.thread.joinable()) return;
  {
    std::unique_lock lock(impl.mutex);
    impl.stopping = true;
    impl.wake.notify_all();
    impl.wake.wait_for(lock, std::chrono::milliseconds(impl.options.stop_ms), [&] { return impl.finished; });
    impl.gave_up = true;
    impl.wake.notify_all();
  }
  impl.thread.join();
}

}  // namespace carehub::adapters
