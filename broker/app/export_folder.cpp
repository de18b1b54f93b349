#include "broker/app/export_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "broker/base/assert.hpp"
#include "broker/storage/file.hpp"

namespace carehub::app {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> cannot(const char* what, const fs::path& path, const std::string& why) {
  return fail(ErrorKind::unavailable, std::string(what) + " `" + path.string() + "`: " + why +
                                          ". Is there room, and may this user write there?");
}

/// All that was written to the file system that this folder lies on.
Result<void> sync_all_of(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return cannot("cannot open", folder, std::strerror(errno));
  const bool synced = ::syncfs(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!synced) return cannot("cannot sync", folder, std::strerror(error));
  return {};
}

}  // namespace

Result<ExportFolder> ExportFolder::create(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = folder.has_filename() ? folder : folder.parent_path();
  if (!whole.has_filename()) return fail(ErrorKind::invalid, "the folder to export into has no name");
  if (fs::exists(whole, error) && !(fs::is_directory(whole, error) && fs::is_empty(whole, error))) {
    return fail(ErrorKind::conflict,
                "`" + whole.string() + "` is there already and holds something: name a new folder");
  }
  fs::path draft = whole;
  draft += ".draft";
  if (fs::exists(draft, error)) {
    return fail(ErrorKind::conflict, "`" + draft.string() +
                                         "` is there already: another export is under way, or one was cut "
                                         "short. Remove it once no export runs");
  }
  if (!fs::create_directory(draft, error)) return cannot("cannot make", draft, error.message());
  ExportFolder made(whole, draft);
  fs::permissions(draft, fs::perms::owner_all, error);
  if (error) return cannot("cannot keep others out of", draft, error.message());
  return made;
}

ExportFolder::ExportFolder(ExportFolder&& other) noexcept
    : folder_(std::move(other.folder_)),
      draft_(std::exchange(other.draft_, {})),
      open_(std::move(other.open_)),
      hashes_(std::move(other.hashes_)) {}

ExportFolder::~ExportFolder() {
  if (draft_.empty()) return;
  open_.clear();
  std::error_code error;
  fs::remove_all(draft_, error);
}

Result<void> ExportFolder::append(const std::string& name, std::string_view text) {
  CAREHUB_ASSERT(!hashes_.contains(name), "nothing is appended to a finished file");
  const fs::path path = draft_ / name;
  auto& open = open_[name];
  if (open == nullptr) {
    std::error_code error;
    if (path.parent_path() != draft_) fs::create_directory(path.parent_path(), error);
    if (error) return cannot("cannot make", path.parent_path(), error.message());
    open = std::make_unique<Open>();
    crypto_hash_sha256_init(&open->hash);
    errno = 0;
    open->out.open(path, std::ios::binary | std::ios::trunc);
  }
  if (!open->out.write(text.data(), static_cast<std::streamsize>(text.size())))
    return cannot("cannot write", path, std::strerror(errno));
  const auto bytes = bytes_of(text);
  crypto_hash_sha256_update(&open->hash, bytes.data(), bytes.size());
  return {};
}

Result<void> ExportFolder::finish(const std::string& name) {
  const auto found = open_.find(name);
  CAREHUB_ASSERT(found != open_.end(), "only an open file is finished");
  errno = 0;
  found->second->out.close();
  if (!found->second->out) return cannot("cannot write", draft_ / name, std::strerror(errno));
  Hash hash{};
  crypto_hash_sha256_final(&found->second->hash, hash.data());
  hashes_[name] = to_hex(hash);
  open_.erase(found);
  return {};
}

Result<std::string> ExportFolder::complete() {
  while (!open_.empty()) {
    if (auto finished = finish(std::string(open_.begin()->first)); !finished)
      return tl::unexpected(finished.error());
  }
  std::string manifest;
  for (const auto& [name, hash] : hashes_) manifest.append(hash).append("  ").append(name).append("\n");
  auto written = append(kManifest, manifest);
  if (written) written = finish(kManifest);
  if (written) written = sync_all_of(draft_);
  if (!written) return tl::unexpected(written.error());
  std::error_code error;
  fs::rename(draft_, folder_, error);
  if (error) return cannot("cannot give its name to", folder_, error.message());
  draft_.clear();
  const fs::path parent = folder_.parent_path();
  if (auto synced = storage::sync_directory(parent.empty() ? fs::path(".") : parent); !synced)
    return tl::unexpected(synced.error());
  return hashes_.at(kManifest);
}

}  // namespace carehub::app
