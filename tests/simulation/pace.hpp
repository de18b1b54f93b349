#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

namespace carehub::simulation {

/// When deliveries of one subscription left, and whether that was more than its receiver takes a minute.
class Pace {
 public:
  /// One leaves, under this limit (0: none). It was decided at `decided_us` at the earliest and `now_us` at
  /// the latest; while one microsecond passes, up to `speed` may pass on the hub's own clock. False: of any
  /// length of time up to a minute, more left than the limit lets through in it and one second's worth.
  bool leaves(std::uint32_t per_minute, std::int64_t decided_us, std::int64_t now_us, double speed) {
    if (per_minute == 0) {
      left_.clear();
      return true;
    }
    while (!left_.empty() && now_us - left_.front().decided_us > kMinuteUs) left_.pop_front();
    left_.push_back({decided_us, per_minute});
    std::uint32_t highest = 0;
    double count = 0;
    for (auto each = left_.rbegin(); each != left_.rend(); ++each) {
      highest = std::max(highest, each->per_minute);
      const double passed = speed * static_cast<double>(now_us - each->decided_us) / kMinuteUs;
      if (++count > std::max(1U, highest / 60) + highest * passed) return false;
    }
    return true;
  }

 private:
  static constexpr std::int64_t kMinuteUs = 60'000'000;
  struct Left {
    std::int64_t decided_us;
    std::uint32_t per_minute;
  };
  std::deque<Left> left_;
};

}  // namespace carehub::simulation
