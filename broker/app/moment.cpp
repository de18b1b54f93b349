#include "broker/app/moment.hpp"

#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {
namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

}  // namespace

Result<std::int64_t> moment(const std::string& text, const char* option, bool end) {
  if (const auto time = parse_time(text)) {
    const bool day = time->precision() == event::TimePrecision::day;
    return !end ? time->utc_us() : day ? time->utc_us() + kDayUs - 1 : time->utc_us() - 1;
  }
  if (const auto day = parse_time(text + "T00:00:00Z"))
    return end ? day->utc_us() + kDayUs - 1 : day->utc_us();
  return fail(ErrorKind::invalid,
              std::string(option) + " is a time such as 2026-01-31T09:30:00Z or a day such as 2026-01-31");
}

Result<std::int64_t> moment_through(const std::string& text, const char* option) {
  const auto time = parse_time(text);
  if (time && time->precision() != event::TimePrecision::day)
    return time->utc_us() / kMillisecondUs * kMillisecondUs + kMillisecondUs - 1;
  return moment(text, option, true);
}

}  // namespace carehub::app
