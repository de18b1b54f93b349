#pragma once

#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

/// Character sets of legacy systems, turned into UTF-8.
namespace carehub::adapters {

enum class Charset : std::uint8_t { ascii, utf8, latin1, windows1252 };

/// "ASCII", "8859/1", "UNICODE UTF-8" (HL7 table 0211) and their common other spellings. Error `invalid`: not
/// one of those.
Result<Charset> charset_from(std::string_view name);

bool is_ascii(std::string_view text);

/// UTF-8 out of `text`. Bytes that the character set does not define become U+FFFD, so that it never fails:
/// the original bytes travel beside it.
std::string to_utf8(std::string_view text, Charset from);

/// The text with characters that Windows-1252 lacks as `?`: for partners that read nothing else.
std::string to_windows1252(std::string_view utf8);

}  // namespace carehub::adapters
