#include "broker/base/clock.hpp"

#include <date/date.h>

#include <chrono>
#include <sstream>

namespace carehub {

namespace {

using Microseconds = std::chrono::microseconds;

constexpr Microseconds start_of(int year) {
  return std::chrono::sys_days{std::chrono::year{year} / 1 / 1}.time_since_epoch();
}

}  // namespace

std::string to_rfc3339(Timestamp at) {
  // A year of any other number has no such text, and date::format throws.
  if (at.us < start_of(0).count() || at.us >= start_of(10'000).count()) return "(out of range)";
  const date::sys_time<Microseconds> point{Microseconds{at.us}};
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
