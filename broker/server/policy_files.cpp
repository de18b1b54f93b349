#include "broker/server/policy_files.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/core/policy_text.hpp"

namespace carehub::server {
namespace {

namespace fs = std::filesystem;

Error wrong(const fs::path& path, const std::string& text) {
  return {ErrorKind::invalid, path.string() + ": " + text};
}

Result<std::string> read_one(const fs::path& path, std::uintmax_t bytes_max) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file)
    return tl::unexpected(wrong(path, "the policy file cannot be read. Check its path and its permissions."));
  if (size > bytes_max) return tl::unexpected(wrong(path, "the policy is over 1 MiB. Shorten it."));
  std::ostringstream text;
  if (size > 0 && !(text << file.rdbuf()))
    return tl::unexpected(wrong(path, "the policy file cannot be read. Check its permissions."));
  if (core::has_policy_file_mark(text.str())) {
    return tl::unexpected(
        wrong(path, "a line begins with `" + std::string(core::kPolicyFileMark) +
                        "`, which stands between the files of a recorded policy. Change it."));
  }
  return text.str();
}

/// Hidden files and those of another kind are not of the policy.
Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (name.starts_with('.') || !name.ends_with(".toml")) continue;
    if (name.size() > limits::kNameBytesMax ||
        std::ranges::any_of(name, [](unsigned char c) { return c < ' '; }))
      return tl::unexpected(
          wrong(folder, "a file's name is too long, or holds a control character. Rename it."));
    if (files.size() == kPolicyFilesMax)
      return tl::unexpected(wrong(folder, "there are more than 256 policy files. Merge some."));
    files.push_back(entry->path());
  }
  if (error)
    return tl::unexpected(wrong(folder, "the policy's folder cannot be read. Check its permissions."));
  if (files.empty())
    return tl::unexpected(wrong(folder, "there is no .toml file in the policy's folder. Add one."));
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<std::string> read_policy_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    auto text = read_one(path, kPolicyBytesMax);
    if (text) *text = core::mark_policy(*text);
    return text;
  }
  const auto files = files_in(path);
  if (!files) return tl::unexpected(files.error());
  std::vector<core::PolicyFile> parts;
  std::uintmax_t left = kPolicyBytesMax;
  for (const auto& file : *files) {
    auto text = read_one(file, left);
    if (!text) return tl::unexpected(text.error());
    left -= text->size();
    parts.push_back({file.filename().string(), std::move(*text)});
  }
  return core::join_policy(parts);
}

}  // namespace carehub::server
