#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub {
namespace {

constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr int kOffsetMinutesMax = 24 * 60 - 1;

constexpr const char* kTimeExpected =
    "expects a time in RFC 3339 cut to its precision and with its offset, such as 2026-03-01T09:30+00:00, "
    "2026-03-01, "
    "2026-03 or 2026";
constexpr const char* kDateExpected = "expects a calendar date such as 2012-05-03, 2012-05 or 2012";

/// Takes the text apart from the left. Each function takes nothing unless all of it fits.
class TextReader {
 public:
  explicit TextReader(std::string_view text) : rest_(text) {}

  bool empty() const { return rest_.empty(); }

  bool take(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  /// "+hh:mm", "-hh:mm" or "Z", which must end the text.
  std::optional<int> offset_to_end() {
    if (rest_ == "Z") {
      rest_ = {};
      return 0;
    }
    if (rest_.size() != 6 || (rest_[0] != '+' && rest_[0] != '-') || rest_[3] != ':') return std::nullopt;
    TextReader parts(rest_.substr(1));
    const auto hours = parts.digits(2);
    parts.take(':');
    const auto minutes = parts.digits(2);
    if (!hours || !minutes || *minutes > 59) return std::nullopt;
    const int total = *hours * 60 + *minutes;
    if (total > kOffsetMinutesMax) return std::nullopt;
    const bool west = rest_[0] == '-';
    rest_ = {};
    return west ? -total : total;
  }

  /// 1 to 9 digits of a second's fraction, in microseconds.
  std::optional<int> fraction() {
    int value = 0;
    std::size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      if (count < 6) value = value * 10 + (rest_[count] - '0');
      ++count;
    }
    if (count == 0 || count > 9) return std::nullopt;
    for (std::size_t i = count; i < 6; ++i) value *= 10;
    rest_.remove_prefix(count);
    return value;
  }

 private:
  std::string_view rest_;
};

struct Parts {
  int year = 1, month = 1, day = 1, hour = 0, minute = 0, second = 0, us = 0;
  int offset_minutes = 0;
  event::TimePrecision precision = event::TimePrecision::year;
};

bool calendar_date_exists(int year, int month, int day) {
  return year >= 1 && std::chrono::year_month_day{std::chrono::year{year},
                                                  std::chrono::month(static_cast<unsigned>(month)),
                                                  std::chrono::day(static_cast<unsigned>(day))}
                          .ok();
}

/// The clock part after "T", with the offset that a clock time must have.
bool read_clock(TextReader& text, Parts& parts) {
  using event::TimePrecision;
  const auto hour = text.digits(2);
  if (!hour || *hour > 23) return false;
  parts.hour = *hour;
  parts.precision = TimePrecision::hour;
  if (text.take(':')) {
    const auto minute = text.digits(2);
    if (!minute || *minute > 59) return false;
    parts.minute = *minute;
    parts.precision = TimePrecision::minute;
    if (text.take(':')) {
      const auto second = text.digits(2);
      if (!second || *second > 59) return false;
      parts.second = *second;
      parts.precision = TimePrecision::second;
      if (text.take('.')) {
        const auto us = text.fraction();
        if (!us) return false;
        parts.us = *us;
        parts.precision = TimePrecision::subsecond;
      }
    }
  }
  const auto offset = text.offset_to_end();
  if (!offset) return false;
  parts.offset_minutes = *offset;
  return true;
}

/// A date without a clock may carry an offset (as xs:date does); without one it is UTC's.
bool read_offset_if_any(TextReader& text, Parts& parts) {
  if (text.empty()) return true;
  const auto offset = text.offset_to_end();
  parts.offset_minutes = offset.value_or(0);
  return offset.has_value();
}

bool read_time(TextReader text, Parts& parts) {
  const auto year = text.digits(4);
  if (!year) return false;
  parts.year = *year;
  if (read_offset_if_any(text, parts)) return true;
  const auto month = text.take('-') ? text.digits(2) : std::nullopt;
  if (!month) return false;
  parts.month = *month;
  parts.precision = event::TimePrecision::month;
  if (read_offset_if_any(text, parts)) return true;
  const auto day = text.take('-') ? text.digits(2) : std::nullopt;
  if (!day) return false;
  parts.day = *day;
  parts.precision = event::TimePrecision::day;
  if (text.take('T')) return read_clock(text, parts);
  return read_offset_if_any(text, parts);
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

struct CivilDate {
  std::int64_t year;
  unsigned month, day;
};

/// Days since 1970-01-01 to a date, for any int64 time that a foreign writer may have put there:
/// std::chrono::year ends at 32767. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// civil_from_days.)
CivilDate civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = floor_div(days, 146'097);
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

template <class... Args>
void append(std::string& text, const char* format, Args... args) {
  char buffer[40];
  const int size = std::snprintf(buffer, sizeof buffer, format, args...);
  text.append(buffer, static_cast<std::size_t>(size));
}

void append_offset(std::string& text, int offset_minutes) {
  const int size = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  append(text, "%c%02d:%02d", offset_minutes < 0 ? '-' : '+', size / 60, size % 60);
}

void append_fraction(std::string& text, int us) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06d", us % 1'000'000);
  std::string_view shown(digits, 6);
  while (shown.size() > 1 && shown.back() == '0') shown.remove_suffix(1);
  text.push_back('.');
  text.append(shown);
}

}  // namespace

std::string time_text(const event::Time& time) {
  using event::TimePrecision;
  // A precision that this version does not know is shown in full.
  const bool known = time.precision() >= TimePrecision::year && time.precision() <= TimePrecision::subsecond;
  const auto precision = known ? time.precision() : TimePrecision::subsecond;
  const std::int64_t utc_seconds = floor_div(time.utc_us(), kSecondUs);
  const int us = static_cast<int>((time.utc_us() % kSecondUs + kSecondUs) % kSecondUs);
  const std::int64_t seconds = utc_seconds + std::int64_t{time.offset_minutes()} * 60;
  const std::int64_t days = floor_div(seconds, kDaySeconds);
  const int of_day = static_cast<int>(seconds - days * kDaySeconds);
  const auto date = civil_from_days(days);

  std::string text;
  text.reserve(32);
  append(text, "%04lld", static_cast<long long>(date.year));
  if (precision >= TimePrecision::month) append(text, "-%02u", date.month);
  if (precision >= TimePrecision::day) append(text, "-%02u", date.day);
  if (precision <= TimePrecision::day) {
    if (time.offset_minutes() != 0) append_offset(text, time.offset_minutes());
    return text;
  }
  append(text, "T%02d", of_day / 3600);
  if (precision >= TimePrecision::minute) append(text, ":%02d", of_day / 60 % 60);
  if (precision >= TimePrecision::second) append(text, ":%02d", of_day % 60);
  if (precision >= TimePrecision::subsecond) append_fraction(text, us);
  append_offset(text, time.offset_minutes());
  return text;
}

std::string date_text(const event::Date& date) {
  std::string text;
  append(text, "%04d", int{date.year()});
  if (date.month() == 0) return text;
  append(text, "-%02u", unsigned{date.month()});
  if (date.day() != 0) append(text, "-%02u", unsigned{date.day()});
  return text;
}

Result<event::Time> parse_time(std::string_view text) {
  Parts parts;
  if (!read_time(TextReader(text), parts)) return fail(ErrorKind::invalid, kTimeExpected);
  if (!calendar_date_exists(parts.year, parts.month, parts.day))
    return fail(ErrorKind::invalid, kTimeExpected);
  const std::chrono::sys_days day{std::chrono::year_month_day{
      std::chrono::year{parts.year}, std::chrono::month(static_cast<unsigned>(parts.month)),
      std::chrono::day(static_cast<unsigned>(parts.day))}};
  const std::int64_t local_seconds = std::int64_t{day.time_since_epoch().count()} * kDaySeconds +
                                     std::int64_t{parts.hour} * 3600 + std::int64_t{parts.minute} * 60 +
                                     parts.second;
  const std::int64_t us = local_seconds * kSecondUs + parts.us - parts.offset_minutes * kMinuteUs;
  return event::Time(us, static_cast<std::int16_t>(parts.offset_minutes), parts.precision);
}

Result<event::Date> parse_date(std::string_view text) {
  TextReader reader(text);
  int month = 0;
  int day = 0;
  const auto year = reader.digits(4);
  bool good = year.has_value() && *year >= 1;
  if (good && !reader.empty()) {
    const auto found = reader.take('-') ? reader.digits(2) : std::nullopt;
    good = found && *found >= 1 && *found <= 12;
    month = found.value_or(0);
  }
  if (good && !reader.empty()) {
    const auto found = reader.take('-') ? reader.digits(2) : std::nullopt;
    good = found && reader.empty() && calendar_date_exists(*year, month, *found);
    day = found.value_or(0);
  }
  if (!good) return fail(ErrorKind::invalid, kDateExpected);
  return event::Date(static_cast<std::int16_t>(*year), static_cast<std::uint8_t>(month),
                     static_cast<std::uint8_t>(day));
}

}  // namespace carehub
