#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>

#include "schemas/event_generated.h"

/// What an event's dates and times say when they are cut to a precision: the first and the last moment that
/// they can mean. Comparing ends instead of guesses keeps a child in scope while nothing proves otherwise.
namespace carehub::core {

/// Structs are copied out: an event inside a larger frame need not be aligned.
template <class Struct>
Struct copied(const Struct* source) {
  Struct copy;
  std::memcpy(static_cast<void*>(&copy), static_cast<const void*>(source), sizeof copy);
  return copy;
}

/// Both ends belong to it.
struct DayRange {
  std::chrono::year_month_day first;
  std::chrono::year_month_day last;
};
struct MomentRange {
  std::int64_t first_us = 0;
  std::int64_t last_us = 0;
};

/// Years that a date in an event may have.
constexpr int kYearMin = 1900;
constexpr int kYearMax = 2200;

/// The calendar day, where it was written, on which a moment fell. nullopt: outside the years that may be.
std::optional<std::chrono::year_month_day> local_day(const event::Time& time);

/// nullopt: outside the years that may be, or no such date.
std::optional<DayRange> days_of(const event::Date& date);
std::optional<DayRange> days_of(const event::Time& time);
std::optional<MomentRange> moments_of(const event::Time& time);

}  // namespace carehub::core
