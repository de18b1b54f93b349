#include "adapters/transports/folder_writer.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "adapters/transports/file_descriptor.hpp"
#include "adapters/transports/send_queue.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kNumbersMax = 100;  // files of one name with other content
constexpr std::size_t kIdBytesMax = 100;
constexpr std::string_view kTemporaryPrefix = ".carehub-";
constexpr std::array<std::string_view, 4> kFields = {"date", "time", "sequence", "id"};

/// An id comes from outside: nothing in it may lead out of the folder or hide a file.
std::string file_safe(std::string_view id) {
  std::string safe(id.substr(0, kIdBytesMax));
  for (char& c : safe) {
    const bool kept =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!kept) c = '_';
  }
  return safe;
}

/// Calls `text` and `field` for the parts of a pattern in order; false when a brace has no partner.
template <class Text, class Field>
bool for_parts(std::string_view pattern, Text text, Field field) {
  while (!pattern.empty()) {
    const std::size_t open = pattern.find_first_of("{}");
    text(pattern.substr(0, open));
    if (open == std::string_view::npos) return true;
    const std::size_t close = pattern.find('}', open);
    if (pattern[open] == '}' || close == std::string_view::npos) return false;
    field(pattern.substr(open + 1, close - open - 1));
    pattern.remove_prefix(close + 1);
  }
  return true;
}

SendResult outcome(int error) {
  if (error == 0) return {};
  const bool permanent = error == ENAMETOOLONG || error == EEXIST;
  return {permanent ? ledger::NakKind::rejected : ledger::NakKind::unavailable, file_fault(error), 0};
}

}  // namespace

Result<void> check_name_pattern(const std::string& pattern) {
  bool unique = false;
  std::string unknown;
  bool wrong_text = pattern.empty() || pattern.front() == '.';
  const bool closed = for_parts(
      pattern,
      [&](std::string_view text) {
        wrong_text |= text.find('/') != std::string_view::npos || text.find('\0') != std::string_view::npos;
      },
      [&](std::string_view field) {
        unique |= field == "sequence" || field == "id";
        if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) unknown = field;
      });
  if (!closed) return fail(ErrorKind::invalid, "a brace of the name has no partner");
  if (!unknown.empty()) {
    return fail(ErrorKind::invalid, "the name has the unknown field {" + unknown +
                                        "}; there are {date}, {time}, {sequence} and {id}");
  }
  if (wrong_text) return fail(ErrorKind::invalid, "the name is empty, begins with a dot or holds a slash");
  if (!unique)
    return fail(ErrorKind::invalid,
                "the name needs {sequence} or {id}, or two deliveries would share a file");
  return {};
}

std::string folder_file_name(const std::string& pattern, const Rendered& message) {
  const std::string at = to_rfc3339(message.appended_at);  // 2026-03-01T09:30:00.000Z
  std::string name;
  for_parts(
      pattern, [&](std::string_view text) { name += text; },
      [&](std::string_view field) {
        if (field == "date") name += at.substr(0, 10);
        if (field == "time") name += at.substr(11, 2) + at.substr(14, 2) + at.substr(17, 2);
        if (field == "sequence") name += std::to_string(message.sequence);
        if (field == "id") name += file_safe(message.id);
      });
  return name;
}

struct FolderWriter::Impl {
  void run() {
    remove_leftovers();
    for (;;) {
      const std::vector<SendQueue::Job> jobs = queue.take(0);
      if (jobs.empty()) return;
      for (const SendQueue::Job& job : jobs) job.done(outcome(write(job.message)));
    }
  }

  int write(const Rendered& message) const {
    if (options.create) {
      std::error_code error;
      fs::create_directories(options.directory, error);
      if (error) return error.value();
    }
    std::string name = folder_file_name(options.name, message);
    // The live delivery's file may be there still, or long have been taken in.
    if (!message.replay.empty())
      name = marked_name(name, "." + file_safe(message.replay.substr(message.replay.rfind('/') + 1)),
                         std::string::npos);
    const fs::path temporary =
        options.directory / (std::string(kTemporaryPrefix) + file_safe(options.channel) + ".tmp");
    for (unsigned number = 1; number <= kNumbersMax; ++number) {
      const fs::path file = options.directory / numbered(name, number);
      Bytes there;
      const int read = read_whole(file, message.bytes.size(), there);
      if (read == 0 && there == message.bytes)
        return sync_directory(options.directory);  // this delivery came before
      if (read == 0 || read == EFBIG || read == ENXIO || read == ELOOP) continue;
      if (read != ENOENT) return read;
      ::unlink(temporary.c_str());
      if (const int error = write_synced(temporary, message.bytes); error != 0) return error;
      const int renamed = rename_new(temporary, file);
      if (renamed == 0) return 0;
      ::unlink(temporary.c_str());
      if (renamed != EEXIST) return renamed;  // EEXIST: somebody took the name just now
    }
    return EEXIST;
  }

  /// Half a file of a run that was killed.
  void remove_leftovers() const {
    ::unlink(
        (options.directory / (std::string(kTemporaryPrefix) + file_safe(options.channel) + ".tmp")).c_str());
  }

  FolderWriterOptions options;
  SendQueue queue;  // stops before the rest goes
};

FolderWriter::FolderWriter(FolderWriterOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->queue.start([impl = impl_.get()] { impl->run(); });
}

FolderWriter::~FolderWriter() { stop(); }

void FolderWriter::send(Rendered message, std::function<void(SendResult)> done) {
  impl_->queue.send(std::move(message), std::move(done));
}

void FolderWriter::stop() { impl_->queue.stop(); }

}  // namespace carehub::adapters
