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
#include <set>
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
constexpr unsigned kNumbersMax = 100;  // of one name; then its time tells it apart
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kDecidedBytesMax = 16U << 20U;  // of reasons that could not be written yet
constexpr std::size_t kToldMax = 1'000;
constexpr const char* kReasonEnding = ".reason.txt";

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

/// 20260301T093000.123456789Z: when the file was last written to, which a crash does not change.
std::string time_mark(const Look& look) {
  const Timestamp at{look.modified_ns / 1'000};
  std::string text = to_rfc3339(at);
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '-' || c == ':'; }),
             text.end());
  const std::string below_ms = std::to_string(1'000'000 + look.modified_ns % 1'000'000);
  return text.insert(text.size() - 1, below_ms.substr(1));
}

const char* remedy_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "Make room";
    case EACCES:
    case EPERM:
    case EROFS: return "Let this user write there";
    case ENOENT:
    case ENOTDIR: return "Make it or mount it again";
    case ENAMETOOLONG: return "Give it a shorter name";
    case EEXIST:
    case EISDIR: return "Tidy up done/ and refused/";
    default: return "Look at the disk or the share";
  }
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
      troubles = 0;
      const bool well = take_claimed() && claim_complete();
      if (well && troubles == 0 && stuck.empty()) told.clear();
      again_ms = well ? kAgainFirstMs : std::min(again_ms * 2, kAgainMaxMs);
      pause(well ? options.poll_ms : again_ms);
    }
    const std::lock_guard lock(mutex);
    finished = true;
    wake.notify_all();
  }

  /// What becomes of one file. `stuck`: it cannot be read or put away, and holds up no other.
  enum class Taken : std::uint8_t { away, again, stuck };

  /// Files that a crash, a busy hub or a full disk left in .carehub/. False: try again later.
  bool take_claimed() {
    std::error_code error;
    std::vector<std::string> names;
    for (auto entry = fs::directory_iterator(work(), error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) return complain("cannot be read", error.value());
    std::sort(names.begin(), names.end());
    const auto is_there = [&](const std::string& name) {
      return std::binary_search(names.begin(), names.end(), name);
    };
    std::erase_if(decided, [&](const auto& each) { return !is_there(each.first); });  // taken away by hand
    std::erase_if(stuck, [&](const std::string& name) { return !is_there(name); });
    const bool stuck_too = Clock::now() >= stuck_again;
    for (const std::string& name : names) {
      if (stopping) return false;
      if (!stuck_too && stuck.count(name) > 0) continue;
      if (!take_one(name)) return false;
    }
    if (stuck.empty()) stuck_again_ms = kAgainFirstMs;
    if (stuck_too && !stuck.empty()) {
      stuck_again = Clock::now() + std::chrono::milliseconds(stuck_again_ms);
      stuck_again_ms = std::min(stuck_again_ms * 2, kAgainMaxMs);
    }
    return true;
  }

  /// False: the hub takes nothing now.
  bool take_one(const std::string& name) {
    const Taken taken = take(name);
    if (taken == Taken::stuck) {
      stuck.insert(name);
    } else {
      stuck.erase(name);
    }
    return taken != Taken::again;
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
    std::vector<std::pair<Look, std::string>> complete;
    for (const auto& [name, found] : now) {
      if (is_complete(name, found.look)) complete.emplace_back(found.look, name);
    }
    seen = std::move(now);
    std::sort(complete.begin(), complete.end());  // oldest first: facts about a child in their order
    for (const auto& [look, name] : complete) {
      if (stopping) return true;
      if (decided_bytes() > kDecidedBytesMax)
        return complain("has too many files that cannot be put away: no more are taken", ENOSPC);
      // Never over a file that is claimed already.
      if (const int failed = rename_new(options.directory / name, work() / name); failed != 0) {
        if (failed != ENOENT) complain_of(look, "does not let a file be claimed", failed);
        continue;  // ENOENT: its owner took it back
      }
      if (options.done_file) ::unlink((options.directory / (name + ".done")).c_str());
      seen.erase(name);
      if (!take_one(name)) return false;
    }
    return true;
  }

  std::size_t decided_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, each] : decided) bytes += each.outcome.reasons.size();
    return bytes;
  }

  bool is_complete(const std::string& name, const Look& look) const {
    if (options.done_file) return look_at(options.directory / (name + ".done")).has_value();
    const auto before = seen.find(name);
    // A network share may stall in the middle of an upload. Our own clock counts: that of a share may be
    // wrong.
    return before != seen.end() && before->second.look == look &&
           Clock::now() - before->second.since >= std::chrono::milliseconds(options.quiet_ms);
  }

  /// Hands one claimed file over and puts it where it belongs.
  Taken take(const std::string& name) {
    const auto look = look_at(work() / name);
    const auto known = decided.find(name);
    if (known != decided.end() && look && known->second.look == *look) {
      return put_away(name, *look, known->second.outcome);
    }
    decided.erase(name);
    Bytes bytes;
    const int error = read_whole(work() / name, options.file_bytes_max, bytes);
    if (error == ENOENT) return Taken::away;  // somebody took it away by hand
    const Look here = look.value_or(Look{});
    if (error == EFBIG) {
      return put_away(name, here,
                      {false, "the file is over the limit of " + std::to_string(options.file_bytes_max) +
                                  " bytes: split it\n"});
    }
    if (error == ENXIO || error == ELOOP)
      return put_away(name, here, {false, "this is not a regular file\n"});
    if (error == EACCES) return put_away(name, here, {false, "this user may not read the file\n"});
    if (error != 0) return complain_of(here, "does not let a file be read", error);
    if (bytes.empty()) return put_away(name, here, {false, "the file is empty\n"});
    const auto reply = hand_over(name, std::move(bytes));
    if (!reply || reply->busy) return Taken::again;
    // Its owner still had it open and has written on. All of it is taken at the next look, when the hub knows
    // the rows that it has; the files behind it need not wait.
    if (!look || look_at(work() / name) != look) return Taken::away;
    const Outcome outcome = outcome_of(reply->results);
    decided.emplace(name, Decided{*look, outcome});
    return put_away(name, *look, outcome);
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

  Taken put_away(const std::string& name, const Look& look, const Outcome& outcome) {
    const fs::path refused = options.directory / "refused";
    // Somebody tidied up: without them a file could not leave.
    for (const char* folder : {"done", "refused"}) {
      std::error_code ignored;
      fs::create_directory(options.directory / folder, ignored);
    }
    const fs::path home = outcome.taken ? options.directory / "done" : refused;
    std::string as;
    // The name of its reasons is longer, and names the file.
    const std::size_t bytes_max = kNameBytesMax - std::string_view(kReasonEnding).size();
    if (const int error =
            find_name(home, name, look, outcome.reasons.empty() ? kNameBytesMax : bytes_max, as);
        error != 0) {
      return complain_of(look, "has no name left for a file in " + home.filename().string(), error);
    }
    if (!outcome.reasons.empty()) {
      // Before the file moves, and again after a crash in between: the reasons are then told twice, never not
      // at all.
      const fs::path reasons = refused / (as + kReasonEnding);
      ::unlink(reasons.c_str());
      const int error = write_synced(reasons, bytes_of(outcome.reasons));
      if (error != 0) return complain_of(look, "does not let the reasons of a refusal be written", error);
    }
    const int error = rename_new(work() / name, home / as);
    if (error != 0) return complain_of(look, "does not let a file be put away", error);
    decided.erase(name);
    return Taken::away;
  }

  /// A name in `home` that nothing has: its own, with a number, or with the file's time and a number. 0 or an
  /// errno.
  static int find_name(const fs::path& home, const std::string& name, const Look& look, std::size_t bytes_max,
                       std::string& as) {
    for (const std::string& before : {std::string(), "." + time_mark(look)}) {
      for (unsigned number = 1; number <= kNumbersMax; ++number) {
        as = marked_name(name, number < 2 ? before : before + "." + std::to_string(number), bytes_max);
        struct stat status{};
        if (::lstat((home / as).c_str(), &status) == 0) continue;
        return errno == ENOENT ? 0 : errno;
      }
    }
    return EEXIST;
  }

  /// A file's name may be a person's: the log has its inode number, by which `find` has it.
  Taken complain_of(const Look& look, const std::string& what, int error) {
    (void)complain(what + " (the one that `find " + options.directory.string() + " -inum " +
                       std::to_string(look.inode) + "` shows; others are taken)",
                   error);
    return Taken::stuck;
  }

  /// Once for each trouble until all is well again: a folder that is away for a weekend must not fill the
  /// log. Always false.
  bool complain(const std::string& what, int error) {
    ++troubles;
    const std::string text = what + ": " + file_fault(error) + ". " + remedy_for(error);
    if (told.size() < kToldMax && told.insert(text).second) {
      spdlog::error("channel={} code=CH-FOLDER alarm=true folder {} {}", options.channel,
                    options.directory.string(), text);
    }
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
  // Claimed files that could not be read or put away; tried again in growing distances.
  std::set<std::string> stuck;
  Clock::time_point stuck_again{};
  std::uint32_t stuck_again_ms = kAgainFirstMs;
  std::set<std::string> told;  // complaints since all was well
  std::size_t troubles = 0;    // of this look
  std::mutex mutex;            // guards what the answering thread and stop() touch
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
