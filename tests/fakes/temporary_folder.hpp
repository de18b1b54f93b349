#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/fakes/temporary_directory.hpp"

namespace carehub::fakes {

/// A temporary directory with words for its files.
class TemporaryFolder {
 public:
  const std::filesystem::path& path() const { return directory_.path(); }
  /// Whole at once, in another's place if there is one: who watches the folder never sees half of it.
  void write(const std::filesystem::path& name, const std::string& text) const {
    put(name, text,
        std::filesystem::perms::owner_read | std::filesystem::perms::owner_write |
            std::filesystem::perms::group_read | std::filesystem::perms::others_read);
  }
  /// Closed to others, as a file of a secret has to be.
  void write_secret(const std::filesystem::path& name, const std::string& text) const {
    put(name, text, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  /// As a slow upload does it.
  void append(const std::filesystem::path& name, const std::string& text) const {
    std::ofstream(path() / name, std::ios::binary | std::ios::app) << text;
  }
  std::string read(const std::filesystem::path& name) const {
    std::ifstream in(path() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool has(const std::filesystem::path& name) const { return std::filesystem::exists(path() / name); }
  /// Names of what is in a folder, without its folders.
  std::set<std::string> files(const std::filesystem::path& name = {}) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path() / name)) {
      if (!entry.is_directory()) names.insert(entry.path().filename().string());
    }
    return names;
  }

 private:
  void put(const std::filesystem::path& name, const std::string& text, std::filesystem::perms mode) const {
    std::filesystem::create_directories((path() / name).parent_path());
    std::ofstream(path() / ".writing", std::ios::binary) << text;
    std::filesystem::permissions(path() / ".writing", mode);
    std::filesystem::rename(path() / ".writing", path() / name);
  }

  TemporaryDirectory directory_;
};

}  // namespace carehub::fakes
