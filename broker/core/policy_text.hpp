#pragma once

#include <string>
#include <string_view>
#include <vector>

/// A policy of one or several files as the one text that a PolicyChanged entry keeps: before each file stands
/// a line with its name. A text that does not begin with such a line is one file that an older hub recorded:
/// in its time the first rule that fitted decided, narrower or not.
namespace carehub::core {

struct PolicyFile {
  std::string name;  // of the file, without its folder; empty: the policy is this one file
  std::string text;
};

/// Before the name of a file, at the start of a line.
constexpr std::string_view kPolicyFileMark = "#: policy file ";

/// Whether a line of the text begins with the mark: such a text cannot be a file of a policy.
bool has_policy_file_mark(std::string_view text);

/// The text of a policy of one file; one that begins with the mark stays as it is.
std::string mark_policy(const std::string& text);

/// One text of all files, in their order. No name holds a line break, and no text the mark.
std::string join_policy(const std::vector<PolicyFile>& files);

/// The files of a text, byte for byte as they were but for a line break at a file's end. `source` is the file
/// or folder that the text came from: it goes before the names, and names a policy of one file.
std::vector<PolicyFile> split_policy(std::string_view text, const std::string& source);

}  // namespace carehub::core
