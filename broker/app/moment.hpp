#pragma once

#include <cstdint>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::app {

/// A time of RFC 3339, or a day of UTC: its first microsecond, or with `end` the one before the time or
/// before the next day. In microseconds UTC.
Result<std::int64_t> moment(const std::string& text, const char* option, bool end);

/// All that was so by then: a time with the whole of the millisecond that is printed of it, or a whole day.
Result<std::int64_t> moment_through(const std::string& text, const char* option);

}  // namespace carehub::app
