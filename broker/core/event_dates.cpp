#include "broker/core/event_dates.hpp"

#include "broker/base/clock.hpp"

namespace carehub::core {
namespace {

using namespace std::chrono;
using event::TimePrecision;

constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kHourUs = 60 * kMinuteUs;
constexpr std::int64_t kDayUs = 24 * kHourUs;
constexpr int kOffsetMinutesMax = 24 * 60 - 1;

constexpr std::int64_t start_us(int year_number) {
  return sys_days{year{year_number} / January / 1}.time_since_epoch().count() * kDayUs;
}

bool year_may_be(int year_number) { return year_number >= kYearMin && year_number <= kYearMax; }

/// Microseconds since 1970 of the wall clock, nullopt outside the years that may be.
std::optional<std::int64_t> local_us(const event::Time& time) {
  const int offset = time.offset_minutes();
  if (offset < -kOffsetMinutesMax || offset > kOffsetMinutesMax) return std::nullopt;
  if (time.utc_us() < start_us(kYearMin) - kDayUs || time.utc_us() > start_us(kYearMax + 1) + kDayUs) {
    return std::nullopt;
  }
  const auto us = time.utc_us() + offset * kMinuteUs;
  if (us < start_us(kYearMin) || us >= start_us(kYearMax + 1)) return std::nullopt;
  return us;
}

year_month_day day_of(std::int64_t local) {
  return year_month_day{floor<days>(sys_time<microseconds>{microseconds{local}})};
}

DayRange whole(year_month_day day, TimePrecision precision) {
  switch (precision) {
    case TimePrecision::year: return {day.year() / January / 1, day.year() / December / 31};
    case TimePrecision::month:
      return {day.year() / day.month() / 1, year_month_day{day.year() / day.month() / last}};
    default: return {day, day};
  }
}

/// How long the period of a precision below a day is, less its last microsecond.
std::int64_t span_us(TimePrecision precision) {
  switch (precision) {
    case TimePrecision::day: return kDayUs - 1;
    case TimePrecision::hour: return kHourUs - 1;
    case TimePrecision::minute: return kMinuteUs - 1;
    case TimePrecision::second: return kSecondUs - 1;
    default: return 0;
  }
}

}  // namespace

std::optional<year_month_day> local_day(const event::Time& time) {
  const auto us = local_us(time);
  if (!us) return std::nullopt;
  return day_of(*us);
}

std::optional<DayRange> days_of(const event::Date& date) {
  if (!year_may_be(date.year())) return std::nullopt;
  const year in_year{date.year()};
  if (date.month() == 0) {
    if (date.day() != 0) return std::nullopt;
    return whole(in_year / January / 1, TimePrecision::year);
  }
  const month in_month{date.month()};
  if (!in_month.ok()) return std::nullopt;
  if (date.day() == 0) return whole(in_year / in_month / 1, TimePrecision::month);
  const year_month_day on = in_year / in_month / day{date.day()};
  if (!on.ok()) return std::nullopt;
  return DayRange{on, on};
}

std::optional<DayRange> days_of(const event::Time& time) {
  const auto on = local_day(time);
  if (!on) return std::nullopt;
  return whole(*on, time.precision());
}

std::optional<MomentRange> moments_of(const event::Time& time) {
  const auto us = local_us(time);
  if (!us) return std::nullopt;
  if (time.precision() != TimePrecision::year && time.precision() != TimePrecision::month) {
    return MomentRange{time.utc_us(), time.utc_us() + span_us(time.precision())};
  }
  const auto period = whole(day_of(*us), time.precision());
  const auto offset_us = time.offset_minutes() * kMinuteUs;
  return MomentRange{sys_days{period.first}.time_since_epoch().count() * kDayUs - offset_us,
                     (sys_days{period.last}.time_since_epoch().count() + 1) * kDayUs - offset_us - 1};
}

}  // namespace carehub::core
