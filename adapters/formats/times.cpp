#include "adapters/formats/times.hpp"

#include <date/date.h>
#include <date/tz.h>
#include <fmt/format.h>

#include <optional>
#include <stdexcept>

namespace carehub::adapters {
namespace {

using Microseconds = std::chrono::microseconds;
using event::TimePrecision;

const date::time_zone& zone_of(const void* zone) { return *static_cast<const date::time_zone*>(zone); }

/// The parts of a written time, with how many of them were there.
struct Parts {
  int year = 0;
  unsigned month = 1;
  unsigned day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int microsecond = 0;
  TimePrecision precision = TimePrecision::unknown;
};

Result<void> check(const Parts& parts) {
  const date::year_month_day day{date::year(parts.year), date::month(parts.month), date::day(parts.day)};
  if (parts.year < 1 || !day.ok()) return fail(ErrorKind::invalid, "there is no such date");
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 59) {
    return fail(ErrorKind::invalid, "there is no such time of day");
  }
  return {};
}

std::int64_t wall_us(const Parts& parts) {
  const date::year_month_day day{date::year(parts.year), date::month(parts.month), date::day(parts.day)};
  const Microseconds at = date::local_days(day).time_since_epoch() + std::chrono::hours(parts.hour) +
                          std::chrono::minutes(parts.minute) + std::chrono::seconds(parts.second) +
                          Microseconds(parts.microsecond);
  return at.count();
}

/// Takes `count` digits off the front of `text`; nullopt when they are not there.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool starts_with_digit(std::string_view text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; }

tl::unexpected<Error> wrong_hl7() {
  return fail(ErrorKind::invalid, "it is not YYYY[MM[DD[HH[MM[SS[.S]]]]]][+/-ZZZZ]");
}

/// Reads the digits and the fraction of an HL7 time; leaves the offset.
Result<Parts> take_hl7(std::string_view& text) {
  Parts parts;
  const auto year = take_digits(text, 4);
  if (!year) return wrong_hl7();
  parts.year = *year;
  parts.precision = TimePrecision::year;
  const auto next = [&](auto& target, TimePrecision precision) {
    if (!starts_with_digit(text)) return true;
    const auto value = take_digits(text, 2);
    if (!value) return false;
    target = static_cast<std::remove_reference_t<decltype(target)>>(*value);
    parts.precision = precision;
    return true;
  };
  if (!next(parts.month, TimePrecision::month) || !next(parts.day, TimePrecision::day) ||
      !next(parts.hour, TimePrecision::hour) || !next(parts.minute, TimePrecision::minute) ||
      !next(parts.second, TimePrecision::second)) {
    return wrong_hl7();
  }
  if (text.starts_with('.') && parts.precision == TimePrecision::second) {
    text.remove_prefix(1);
    if (!starts_with_digit(text)) return wrong_hl7();
    int scale = 100'000;
    while (starts_with_digit(text)) {
      parts.microsecond += (text[0] - '0') * scale;
      scale /= 10;
      text.remove_prefix(1);
    }
    parts.precision = TimePrecision::subsecond;
  }
  if (auto good = check(parts); !good) return tl::unexpected(good.error());
  return parts;
}

/// Minutes east of Greenwich; the offset is all that is left of `text`.
Result<int> take_offset(std::string_view text) {
  const char sign = text.front();
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  const auto minutes = take_digits(text, 2);
  if ((sign != '+' && sign != '-') || !hours || !minutes || !text.empty() || *hours > 14 || *minutes > 59) {
    return fail(ErrorKind::invalid, "it does not end in an offset such as +0100");
  }
  return (sign == '-' ? -1 : 1) * (*hours * 60 + *minutes);
}

event::Time resolved(const Parts& parts, const Zone& zone) {
  const auto [at, offset] = zone.resolve(wall_us(parts));
  return {at.us, offset, parts.precision};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<Parts> parse_as(std::string_view text, std::string_view format) {
  text = trimmed(text);
  Parts parts;
  const auto wrong = [&] { return fail(ErrorKind::invalid, "it is not written as " + std::string(format)); };
  const auto reach = [&](TimePrecision precision) { parts.precision = std::max(parts.precision, precision); };
  while (!format.empty()) {
    if (format[0] != '%' || format.size() < 2) {
      if (text.empty() || text[0] != format[0]) return wrong();
      text.remove_prefix(1);
      format.remove_prefix(1);
      continue;
    }
    const char code = format[1];
    format.remove_prefix(2);
    // A single digit is read where a separator or the end follows: 3/9/2012.
    const std::size_t digits =
        code == 'Y' ? 4 : (text.size() > 1 && starts_with_digit(text.substr(1)) ? 2 : 1);
    const auto value = take_digits(text, digits);
    if (!value) return wrong();
    switch (code) {
      case 'Y':
        parts.year = *value;
        reach(TimePrecision::year);
        break;
      case 'm':
        parts.month = static_cast<unsigned>(*value);
        reach(TimePrecision::month);
        break;
      case 'd':
        parts.day = static_cast<unsigned>(*value);
        reach(TimePrecision::day);
        break;
      case 'H':
        parts.hour = *value;
        reach(TimePrecision::hour);
        break;
      case 'M':
        parts.minute = *value;
        reach(TimePrecision::minute);
        break;
      case 'S':
        parts.second = *value;
        reach(TimePrecision::second);
        break;
      default: return wrong();
    }
  }
  if (!text.empty()) return wrong();
  if (auto good = check(parts); !good) return tl::unexpected(good.error());
  return parts;
}

/// Writes the parts that `precision` covers; a separator before a part that is left out is left out too.
std::string format_parts(const Parts& parts, std::string_view format) {
  std::string out;
  std::string pending;
  const auto put = [&](TimePrecision needed, int width, int value) {
    if (parts.precision >= needed) out += pending + fmt::format("{:0{}}", value, width);
    pending.clear();
  };
  while (!format.empty()) {
    if (format[0] != '%' || format.size() < 2) {
      pending.push_back(format[0]);
      format.remove_prefix(1);
      continue;
    }
    switch (format[1]) {
      case 'Y': put(TimePrecision::year, 4, parts.year); break;
      case 'm': put(TimePrecision::month, 2, static_cast<int>(parts.month)); break;
      case 'd': put(TimePrecision::day, 2, static_cast<int>(parts.day)); break;
      case 'H': put(TimePrecision::hour, 2, parts.hour); break;
      case 'M': put(TimePrecision::minute, 2, parts.minute); break;
      case 'S': put(TimePrecision::second, 2, parts.second); break;
      default: break;
    }
    format.remove_prefix(2);
  }
  // 12/2012 rather than /12/2012 when the day is not known.
  const auto first = out.find_first_of("0123456789");
  return first == std::string::npos
             ? std::string{}
             : out.substr(first) + (parts.precision >= TimePrecision::day ? pending : "");
}

Parts parts_of(const event::Time& time) {
  const date::local_time<Microseconds> wall{Microseconds(time.utc_us()) +
                                            std::chrono::minutes(time.offset_minutes())};
  const auto day = date::floor<date::days>(wall);
  const date::year_month_day ymd{day};
  const date::hh_mm_ss<Microseconds> clock{wall - day};
  Parts parts;
  parts.year = static_cast<int>(ymd.year());
  parts.month = static_cast<unsigned>(ymd.month());
  parts.day = static_cast<unsigned>(ymd.day());
  parts.hour = static_cast<int>(clock.hours().count());
  parts.minute = static_cast<int>(clock.minutes().count());
  parts.second = static_cast<int>(clock.seconds().count());
  parts.precision = time.precision();
  return parts;
}

}  // namespace

Result<Zone> Zone::find(std::string_view name) {
  try {
    return Zone(date::locate_zone(std::string(name)));
  } catch (const std::runtime_error&) {
    return fail(ErrorKind::not_found, "the system's time zones have no `" + std::string(name) +
                                          "`; install tzdata or name another, such as Europe/London");
  }
}

std::pair<Timestamp, std::int16_t> Zone::resolve(std::int64_t local_us) const {
  const date::local_time<Microseconds> wall{Microseconds(local_us)};
  const date::local_info info = zone_of(zone_).get_info(wall);
  // For a time that is unique, ambiguous or skipped alike, the offset before the change is the documented
  // choice: it picks the first of two, and carries a skipped time forward by the gap.
  const auto before = std::chrono::duration_cast<std::chrono::minutes>(info.first.offset);
  const Timestamp at{(wall.time_since_epoch() - info.first.offset).count()};
  if (info.result != date::local_info::nonexistent) return {at, static_cast<std::int16_t>(before.count())};
  const auto after = std::chrono::duration_cast<std::chrono::minutes>(info.second.offset);
  return {at, static_cast<std::int16_t>(after.count())};
}

std::int16_t Zone::offset_at(Timestamp at) const {
  const auto info = zone_of(zone_).get_info(date::sys_time<Microseconds>(Microseconds(at.us)));
  return static_cast<std::int16_t>(std::chrono::duration_cast<std::chrono::minutes>(info.offset).count());
}

Result<event::Time> parse_hl7_time(std::string_view text, const Zone& zone) {
  text = trimmed(text);
  const auto parts = take_hl7(text);
  if (!parts) return tl::unexpected(parts.error());
  if (text.empty()) return resolved(*parts, zone);
  const auto offset = take_offset(text);
  if (!offset) return tl::unexpected(offset.error());
  const std::int64_t utc_us = wall_us(*parts) - std::int64_t{*offset} * 60 * kSecondUs;
  return event::Time(utc_us, static_cast<std::int16_t>(*offset), parts->precision);
}

Result<event::Date> parse_hl7_date(std::string_view text) {
  text = trimmed(text);
  const auto parts = take_hl7(text);
  if (!parts) return tl::unexpected(parts.error());
  // 2012-05-03 begins as a year does: cut to it, a child would have another birth date and nobody would know.
  if (!text.empty()) {
    if (parts->precision < TimePrecision::hour) return wrong_hl7();
    if (const auto offset = take_offset(text); !offset) return tl::unexpected(offset.error());
  }
  const bool month = parts->precision >= TimePrecision::month;
  const bool day = parts->precision >= TimePrecision::day;
  return event::Date(static_cast<std::int16_t>(parts->year),
                     static_cast<std::uint8_t>(month ? parts->month : 0),
                     static_cast<std::uint8_t>(day ? parts->day : 0));
}

std::string hl7_time(Timestamp at, const Zone& zone) {
  const std::int16_t offset = zone.offset_at(at);
  const int size = offset < 0 ? -offset : offset;
  return format_parts(parts_of(event::Time(at.us, offset, TimePrecision::second)), "%Y%m%d%H%M%S") +
         fmt::format("{}{:02}{:02}", offset < 0 ? '-' : '+', size / 60, size % 60);
}

Result<event::Time> parse_time_as(std::string_view text, std::string_view format, const Zone& zone) {
  const auto parts = parse_as(text, format);
  if (!parts) return tl::unexpected(parts.error());
  return resolved(*parts, zone);
}

Result<event::Date> parse_date_as(std::string_view text, std::string_view format) {
  const auto parts = parse_as(text, format);
  if (!parts) return tl::unexpected(parts.error());
  const bool day = parts->precision >= TimePrecision::day;
  return event::Date(static_cast<std::int16_t>(parts->year), static_cast<std::uint8_t>(parts->month),
                     static_cast<std::uint8_t>(day ? parts->day : 0));
}

std::string format_time(const event::Time& time, std::string_view format) {
  return format_parts(parts_of(time), format);
}

std::string format_date(const event::Date& date, std::string_view format) {
  Parts parts;
  parts.year = date.year();
  parts.month = date.month();
  parts.day = date.day();
  parts.precision = date.day() != 0     ? TimePrecision::day
                    : date.month() != 0 ? TimePrecision::month
                                        : TimePrecision::year;
  return format_parts(parts, format);
}

Result<void> check_time_format(std::string_view format) {
  for (std::size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%', at + 2)) {
    if (at + 1 >= format.size() ||
        std::string_view("YmdHMS").find(format[at + 1]) == std::string_view::npos) {
      return fail(ErrorKind::invalid,
                  "`" + std::string(format) +
                      "` has a code other than %Y %m %d %H %M %S; write it as %d/%m/%Y %H:%M");
    }
  }
  return {};
}

}  // namespace carehub::adapters
