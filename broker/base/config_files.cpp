#include "broker/base/config_files.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace carehub {
namespace {

namespace fs = std::filesystem;

bool check(ConfigTable& table, std::string_view key, const fs::path& path, fs::file_type wanted,
           const MissingFile& missing) {
  std::error_code error;
  const fs::file_type found = fs::status(path, error).type();
  // A path through a file, not a folder, leads nowhere either.
  if (found == fs::file_type::not_found || (found != fs::file_type::none && found != wanted)) {
    table.fault(key, missing.text, missing.remedy);
    return false;
  }
  const bool folder = wanted == fs::file_type::directory;
  if (found != fs::file_type::none && ::access(path.c_str(), folder ? R_OK | X_OK : R_OK) != 0)
    error.assign(errno, std::generic_category());
  if (!error) return true;
  if (error == std::errc::permission_denied) {
    table.fault(key, "this user may not read " + path.string(),
                "Let this user read it, and search the folders above it");
  } else {
    table.fault(key, path.string() + " cannot be looked at: " + error.message(),
                "Check the path, its links and the disk or share");
  }
  return false;
}

}  // namespace

bool check_file(ConfigTable& table, std::string_view key, const fs::path& file, const MissingFile& missing) {
  return check(table, key, file, fs::file_type::regular, missing);
}

bool check_folder(ConfigTable& table, std::string_view key, const fs::path& folder,
                  const MissingFile& missing) {
  return check(table, key, folder, fs::file_type::directory, missing);
}

bool check_writable_folder(ConfigTable& table, std::string_view key, const fs::path& folder,
                           const MissingFile& missing) {
  if (!check_folder(table, key, folder, missing)) return false;
  if (::access(folder.c_str(), W_OK) == 0) return true;
  table.fault(key, "this user may not write to " + folder.string(), "Let this user write to it");
  return false;
}

}  // namespace carehub
