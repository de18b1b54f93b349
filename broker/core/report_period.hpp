#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"

namespace carehub::core {

/// A calendar quarter of UTC: the same span for everybody, whatever clock a county keeps in summer.
struct Quarter {
  std::int64_t year = 0;
  std::int64_t number = 1;  // 1 to 4

  std::string name() const;  // 2026-Q1
  Timestamp from() const;
  Timestamp until() const;  // the first microsecond of the next
  friend bool operator==(const Quarter&, const Quarter&) = default;
};

Quarter quarter_of(Timestamp at);
/// Of its name, from 1970-Q1 to 9999-Q4.
Result<Quarter> parse_quarter(std::string_view name);

}  // namespace carehub::core
