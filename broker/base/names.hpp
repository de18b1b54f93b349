#pragma once

#include <string_view>

namespace carehub {

/// Whether this may name an agency, a channel or a subscription. Names become file names, socket ids and log
/// fields: 1 to kNameBytesMax ASCII letters, digits and - _ . with no - or . in front.
bool is_plain_name(std::string_view text);

}  // namespace carehub
