#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "broker/base/config_reader.hpp"

/// Files and folders that a configuration names. What cannot even be looked at is a fault with its remedy
/// like any other.
namespace carehub {

/// What to say of a file that is not there.
struct MissingFile {
  std::string text;
  std::string remedy;
};

/// Whether there is such a file and this user may read it. If not, that is a fault at `key`.
bool check_file(ConfigTable& table, std::string_view key, const std::filesystem::path& file,
                const MissingFile& missing);
/// The same of a folder.
bool check_folder(ConfigTable& table, std::string_view key, const std::filesystem::path& folder,
                  const MissingFile& missing);
/// And this user may write to it.
bool check_writable_folder(ConfigTable& table, std::string_view key, const std::filesystem::path& folder,
                           const MissingFile& missing);

}  // namespace carehub
