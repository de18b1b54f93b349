#include "broker/base/names.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"

namespace carehub {

bool is_plain_name(std::string_view text) {
  if (text.empty() || text.size() > limits::kNameBytesMax || text.front() == '.' || text.front() == '-')
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace carehub
