#include "broker/storage/vault_copies.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <system_error>
#include <unordered_set>

#include "broker/storage/vault_format.hpp"
#include "broker/storage/vault_places.hpp"

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

/// Packed files hide what is in them.
bool is_archive(const fs::path& path) {
  const auto file = File::open_to_read(path);
  if (!file) return false;
  constexpr std::size_t kTarMarkAt = 257;
  const auto start = file->read_at(0, kTarMarkAt + 5);
  if (!start) return false;
  const auto text = text_of(*start);
  using namespace std::string_view_literals;
  for (const auto mark : {"\x1f\x8b"sv, "\x28\xb5\x2f\xfd"sv,
                          "\xfd"
                          "7zXZ"sv,
                          "BZh"sv, "PK\x03\x04"sv, "7z\xbc\xaf"sv}) {
    if (text.starts_with(mark)) return true;
  }
  return text.size() > kTarMarkAt && text.substr(kTarMarkAt).starts_with("ustar");
}

bool is_inside(const fs::path& path, const fs::path& directory) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

/// Looks through one place; directories in it as well where `deep`. What it does not look into it names.
class Place {
 public:
  Place(const Ids& ids, const fs::path& vault_file, const SecretKey& master, std::vector<std::string>& found)
      : ids_(ids), vault_file_(vault_file), master_(master), found_(found) {}

  void look(const fs::path& directory, bool deep) {
    std::error_code error;
    root_ = fs::canonical(directory, error);
    look_into(directory, deep ? kDepthMax : 0, deep);
  }

  void look_at_copy(const fs::path& copy) {
    std::error_code error;
    if (fs::is_regular_file(copy, error)) {
      static_cast<void>(look_at(copy, copy.parent_path()));
    } else {
      look(copy, true);
    }
  }

 private:
  void look_into(const fs::path& directory, int depth, bool deep) {
    std::error_code error;
    fs::directory_iterator each(directory, error);
    for (; !error && each != fs::directory_iterator(); each.increment(error)) {
      const auto& entry = *each;
      std::error_code unknown;
      if (entry.is_symlink(unknown)) {
        follow(entry.path(), deep);
      } else if (entry.is_directory(unknown)) {
        if (depth > 0) {
          look_into(entry.path(), depth - 1, deep);
        } else if (deep) {
          name(entry.path(), "not looked into, so many directories deep");
        }
      } else if (entry.is_regular_file(unknown) && !look_at(entry.path(), directory)) {
        return;
      }
    }
    if (error) name(directory, "cannot be looked into: " + error.message());
  }

  /// What it leads to is looked at where that is not done anyhow.
  void follow(const fs::path& link, bool deep) {
    std::error_code error;
    const auto target = fs::canonical(link, error);
    if (error == std::errc::no_such_file_or_directory) return;
    if (error) return name(link, "a link that cannot be followed: " + error.message());
    if (fs::is_directory(target, error)) {
      if (deep && !is_inside(target, root_)) name(link, "a link to a directory, not looked into");
    } else if (fs::is_regular_file(target, error)) {
      static_cast<void>(look_at(link, link.parent_path()));
    }
  }

  bool look_at(const fs::path& file, const fs::path& directory) {
    if (++files_ > kVaultCopyFilesMax) {
      if (files_ == kVaultCopyFilesMax + 1) name(directory, "too many files to look at");
      return false;
    }
    std::error_code unknown;
    if (fs::equivalent(file, vault_file_, unknown)) return true;
    if (is_archive(file)) {
      name(file, "an archive, not looked into");
    } else if (may_give_away(file, ids_, master_)) {
      found_.push_back(file.string());
    }
    return true;
  }

  void name(const fs::path& path, const std::string& why) { found_.push_back(path.string() + ": " + why); }

  const Ids& ids_;
  const fs::path& vault_file_;
  const SecretKey& master_;
  std::vector<std::string>& found_;
  fs::path root_;
  std::size_t files_ = 0;
};

}  // namespace

std::vector<std::string> vault_copies_with(const std::vector<KeyId>& ids, const fs::path& vault_file,
                                           const std::vector<fs::path>& directories,
                                           const SecretKey& master) {
  std::vector<std::string> found;
  const Ids wanted(ids.begin(), ids.end());
  Place(wanted, vault_file, master, found)
      .look(vault_file.has_parent_path() ? vault_file.parent_path() : ".", false);
  for (const auto& directory : directories) Place(wanted, vault_file, master, found).look(directory, true);
  auto places = vault_places(vault_file);
  for (const auto& copy : places.there) Place(wanted, vault_file, master, found).look_at_copy(copy);
  std::ranges::move(places.unknown, std::back_inserter(found));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace carehub::storage
