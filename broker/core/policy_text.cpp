#include "broker/core/policy_text.hpp"

#include <algorithm>

namespace carehub::core {
namespace {

/// Where the next line that begins with the mark starts; npos: nowhere.
std::size_t next_mark(std::string_view text, std::size_t from) {
  if (from == 0 && text.starts_with(kPolicyFileMark)) return 0;
  const auto found = text.find("\n" + std::string(kPolicyFileMark), from == 0 ? 0 : from - 1);
  return found == std::string_view::npos ? found : found + 1;
}

}  // namespace

bool has_policy_file_mark(std::string_view text) { return next_mark(text, 0) != std::string_view::npos; }

std::string mark_policy(const std::string& text) {
  return text.starts_with(kPolicyFileMark) ? text : join_policy({{"", text}});
}

std::string join_policy(const std::vector<PolicyFile>& files) {
  std::string joined;
  for (const auto& file : files) {
    joined.append(kPolicyFileMark).append(file.name).append("\n").append(file.text);
    if (!joined.ends_with('\n')) joined += '\n';
  }
  return joined;
}

std::vector<PolicyFile> split_policy(std::string_view text, const std::string& source) {
  std::vector<PolicyFile> files;
  if (!text.starts_with(kPolicyFileMark)) {
    files.push_back({source, std::string(text)});
    return files;
  }
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const auto line_end = std::min(text.find('\n', at), text.size());
    const auto name = text.substr(at, line_end - at).substr(kPolicyFileMark.size());
    const auto begin = std::min(line_end + 1, text.size());
    const auto next = next_mark(text, begin);
    files.push_back({name.empty() ? source : source + "/" + std::string(name),
                     std::string(text.substr(begin, std::min(next, text.size()) - begin))});
    at = next;
  }
  return files;
}

}  // namespace carehub::core
