#include "broker/core/report_period.hpp"

#include <chrono>

namespace carehub::core {
namespace {

constexpr std::int64_t kQuarters = 4;

/// The first microsecond of a quarter, counted from the year's first one: 4 is the next year's first.
Timestamp start_of(std::int64_t year, std::int64_t index) {
  using namespace std::chrono;
  const auto first = std::chrono::year{static_cast<int>(year + index / kQuarters)} /
                     month{static_cast<unsigned>(index % kQuarters * 3 + 1)} / day{1};
  return {duration_cast<microseconds>(sys_days{first}.time_since_epoch()).count()};
}

}  // namespace

std::string Quarter::name() const { return std::to_string(year) + "-Q" + std::to_string(number); }
Timestamp Quarter::from() const { return start_of(year, number - 1); }
Timestamp Quarter::until() const { return start_of(year, number); }

Quarter quarter_of(Timestamp at) {
  using namespace std::chrono;
  const year_month_day date{floor<days>(sys_time<microseconds>{microseconds{at.us}})};
  return {static_cast<int>(date.year()), (static_cast<unsigned>(date.month()) - 1) / 3 + 1};
}

Result<Quarter> parse_quarter(std::string_view name) {
  constexpr std::size_t kYearDigits = 4;
  const bool shaped = name.size() == kYearDigits + 3 && name.substr(kYearDigits, 2) == "-Q";
  Quarter quarter;
  bool digits = shaped;
  for (std::size_t at = 0; shaped && at < kYearDigits; ++at) {
    digits = digits && name[at] >= '0' && name[at] <= '9';
    quarter.year = quarter.year * 10 + (name[at] - '0');
  }
  if (shaped) quarter.number = name.back() - '0';
  if (!digits || quarter.year < 1970 || quarter.number < 1 || quarter.number > kQuarters)
    return fail(ErrorKind::invalid, "a quarter is written as 2026-Q1");
  return quarter;
}

}  // namespace carehub::core
