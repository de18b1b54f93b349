#include "broker/storage/vault_copies.hpp"

#include <algorithm>
#include <unordered_set>

#include "broker/storage/vault_format.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = kVaultRecordBytes * 8192;
constexpr int kDepthMax = 4;

using Ids = std::unordered_set<KeyId>;

/// Whether this file may give one of the keys away; false for what is no vault.
bool may_give_away(const fs::path& path, const Ids& ids, const SecretKey& master) {
  const auto file = File::open_to_read(path);
  if (!file) return file.error().kind != ErrorKind::not_found;
  const auto header = file->read_at(0, kVaultHeaderBytes);
  if (!header) return true;
  if (!is_vault(*header)) return false;
  const auto keys = open_vault_header(*header, master, path.string());
  for (std::uint64_t record = 0;;) {
    const auto chunk = file->read_at(vault_record_at(record), kReadBytes);
    if (!chunk) return true;
    if (chunk->size() < kVaultRecordBytes) return false;
    for (BytesView rest = *chunk; rest.size() >= kVaultRecordBytes; rest = rest.subspan(kVaultRecordBytes)) {
      const auto bytes = rest.first(kVaultRecordBytes);
      const auto place = record++;
      if (!ids.contains(vault_record_id(bytes))) continue;
      const auto opened = keys ? open_vault_record(keys->vault, bytes, place) : std::nullopt;
      if (!opened || opened->key) return true;
    }
  }
}

/// Looks through one place; directories in it as well where `deep`.
class Place {
 public:
  Place(const Ids& ids, const fs::path& vault_file, const SecretKey& master, std::vector<std::string>& found)
      : ids_(ids), vault_file_(vault_file), master_(master), found_(found) {}

  void look(const fs::path& directory, int depth) {
    std::error_code error;
    fs::directory_iterator each(directory, error);
    for (; !error && each != fs::directory_iterator(); each.increment(error)) {
      const auto& entry = *each;
      std::error_code unknown;
      if (entry.is_symlink(unknown)) continue;
      if (depth > 0 && entry.is_directory(unknown)) look(entry.path(), depth - 1);
      if (!entry.is_regular_file(unknown)) continue;
      if (++files_ > kVaultCopyFilesMax) {
        if (files_ == kVaultCopyFilesMax + 1)
          found_.push_back(directory.string() + ": too many files to look at");
        return;
      }
      if (fs::equivalent(entry.path(), vault_file_, unknown)) continue;
      if (may_give_away(entry.path(), ids_, master_)) found_.push_back(entry.path().string());
    }
    if (error) found_.push_back(directory.string() + ": cannot be looked into: " + error.message());
  }

 private:
  const Ids& ids_;
  const fs::path& vault_file_;
  const SecretKey& master_;
  std::vector<std::string>& found_;
  std::size_t files_ = 0;
};

}  // namespace

std::vector<std::string> vault_copies_with(const std::vector<KeyId>& ids, const fs::path& vault_file,
                                           const std::vector<fs::path>& directories,
                                           const SecretKey& master) {
  std::vector<std::string> found;
  const Ids wanted(ids.begin(), ids.end());
  Place(wanted, vault_file, master, found)
      .look(vault_file.has_parent_path() ? vault_file.parent_path() : ".", 0);
  for (const auto& directory : directories)
    Place(wanted, vault_file, master, found).look(directory, kDepthMax);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace carehub::storage
