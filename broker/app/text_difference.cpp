#include "broker/app/text_difference.hpp"

#include <algorithm>
#include <cstdint>

namespace carehub::app {
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t kCellsMax = 4U << 20U;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

/// What stands between the first and the last line in which two texts differ.
void trim(Lines& before, Lines& after) {
  const auto first = std::ranges::mismatch(before, after);
  const auto common = first.in1 - before.begin();
  before.erase(before.begin(), before.begin() + common);
  after.erase(after.begin(), after.begin() + common);
  while (!before.empty() && !after.empty() && before.back() == after.back()) {
    before.pop_back();
    after.pop_back();
  }
}

/// How many lines the ends of both have in common at most, from each pair of places on.
class SharedTail {
 public:
  SharedTail(const Lines& before, const Lines& after)
      : width_(after.size() + 1), counts_((before.size() + 1) * width_) {
    for (std::size_t i = before.size(); i-- > 0;) {
      for (std::size_t j = after.size(); j-- > 0;) {
        counts_[i * width_ + j] = before[i] == after[j]
                                      ? counts_[(i + 1) * width_ + j + 1] + 1
                                      : std::max(counts_[(i + 1) * width_ + j], counts_[i * width_ + j + 1]);
      }
    }
  }
  std::uint32_t at(std::size_t i, std::size_t j) const { return counts_[i * width_ + j]; }

 private:
  std::size_t width_;
  std::vector<std::uint32_t> counts_;
};

}  // namespace

std::vector<std::string> changed_lines(std::string_view before, std::string_view after) {
  auto old_lines = lines_of(before);
  auto new_lines = lines_of(after);
  trim(old_lines, new_lines);
  std::vector<std::string> changed;
  const auto removed = [&](std::size_t i) { changed.push_back("- " + std::string(old_lines[i])); };
  const auto added = [&](std::size_t j) { changed.push_back("+ " + std::string(new_lines[j])); };
  std::size_t i = 0;
  std::size_t j = 0;
  if ((old_lines.size() + 1) * (new_lines.size() + 1) <= kCellsMax) {
    const SharedTail common(old_lines, new_lines);
    while (i < old_lines.size() && j < new_lines.size()) {
      if (old_lines[i] == new_lines[j]) {
        ++i;
        ++j;
      } else if (common.at(i + 1, j) >= common.at(i, j + 1)) {
        removed(i++);
      } else {
        added(j++);
      }
    }
  }
  while (i < old_lines.size()) removed(i++);
  while (j < new_lines.size()) added(j++);
  return changed;
}

}  // namespace carehub::app
