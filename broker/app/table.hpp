#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace carehub::app {

/// Prints columns as wide as their longest cell; characters are counted as UTF-8 code points. No rows:
/// nothing.
void print_table(std::ostream& out, const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows);

/// What a terminal may show of text that came from outside: control characters become '?'.
std::string printable(std::string_view text);

}  // namespace carehub::app
