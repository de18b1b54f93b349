#pragma once

#include <cstddef>
#include <string_view>

namespace carehub {

/// Bytes of the UTF-8 sequence that starts the text (1 to 4), or 0 when none does. RFC 3629 section 4.
std::size_t utf8_sequence(std::string_view text);

/// True when all of the text is UTF-8; an empty one is.
bool is_utf8(std::string_view text);

}  // namespace carehub
