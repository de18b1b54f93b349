#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace carehub::app {

/// The lines that one text has and the other has not, in their order, behind "- " or "+ ". Where two long
/// texts have little in common it may be more lines than would do, never fewer.
std::vector<std::string> changed_lines(std::string_view before, std::string_view after);

}  // namespace carehub::app
