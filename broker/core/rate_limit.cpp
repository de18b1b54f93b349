#include "broker/core/rate_limit.hpp"

#include <algorithm>

namespace carehub::core {

void RateLimit::set(std::uint32_t per_minute, Timestamp now) {
  if (per_minute == per_minute_) return;
  constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
  per_minute_ = per_minute;
  if (per_minute == 0) return;
  // Rounded up: never more than the limit.
  interval_us_ = (kMinuteUs + per_minute - 1) / per_minute;
  burst_ = std::max<std::int64_t>(1, per_minute / 60);
  full_at_ = {now.us + burst_ * interval_us_};
}

Timestamp RateLimit::next(Timestamp now) const {
  if (per_minute_ == 0) return now;
  return std::max(now, Timestamp{full_at_.us - (burst_ - 1) * interval_us_});
}

void RateLimit::take(Timestamp now) {
  if (per_minute_ != 0) full_at_ = {std::max(full_at_, now).us + interval_us_};
}

std::uint32_t lower_limit(std::uint32_t one, std::uint32_t other) {
  return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
}

}  // namespace carehub::core
