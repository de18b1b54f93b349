#include "broker/server/clock_watch.hpp"

#include <algorithm>

namespace carehub::server {

namespace {

/// In the largest whole unit.
std::string length_of(std::int64_t us) {
  constexpr std::int64_t kOfHour = 60;
  constexpr std::int64_t kOfDay = 24 * kOfHour;
  const std::int64_t minutes = us / (60 * kSecondUs);
  if (minutes >= 2 * kOfDay) return std::to_string(minutes / kOfDay) + " days";
  if (minutes >= 2 * kOfHour) return std::to_string(minutes / kOfHour) + " hours";
  return std::to_string(minutes) + " minutes";
}

}  // namespace

void ClockWatch::look(Timestamp wall, Timestamp own, Sequence head, core::Decision& out) {
  const Timestamp stamped = std::max(own, newest_);
  const std::int64_t ahead_us = stamped.us - wall.us;
  const std::int64_t apart_us = ahead_us < 0 ? -ahead_us : ahead_us;
  const std::string from = "from entry " + std::to_string(head + 1) + " on entries are stamped with ";
  if (told_) {
    if (apart_us > kClockAgreesUs) return;
    told_ = false;
    out.alarms.push_back({"clock_agrees", from + "the time of this machine's clock again"});
    return;
  }
  if (apart_us <= kClockDiffersUs) return;
  told_ = true;
  const char* why = newest_ > own
                        ? "because an older entry has that time and no later one is stamped earlier: was the "
                          "clock wrong then, or is it now?"
                        : "because that clock was set while the hub ran; the hub follows it slowly. Is it "
                          "right now?";
  out.alarms.push_back({"clock_differs", from + "a time that is " + length_of(apart_us) +
                                             (ahead_us > 0 ? " ahead of" : " behind") +
                                             " this machine's clock, " + why});
}

}  // namespace carehub::server
