#include "broker/base/clock.hpp"

#include <date/date.h>

#include <chrono>
#include <sstream>

namespace carehub {

std::string to_rfc3339(Timestamp at) {
  const date::sys_time<std::chrono::microseconds> point{std::chrono::microseconds{at.us}};
  std::ostringstream text;
  text << date::format("%FT%TZ", date::floor<std::chrono::milliseconds>(point));
  return text.str();
}

Timestamp SystemClock::now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

std::int64_t SystemClock::steady_us() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace carehub
