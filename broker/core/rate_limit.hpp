#pragma once

#include <cstdint>

#include "broker/base/clock.hpp"

namespace carehub::core {

/// At most so many a minute: a bucket of tokens that holds what comes in within one second, and at least one.
/// Over any minute no more is taken than the limit and what the bucket holds.
class RateLimit {
 public:
  /// 0: no limit. A new or changed limit begins with an empty bucket, so that starting again is no way round
  /// it.
  void set(std::uint32_t per_minute, Timestamp now);
  std::uint32_t per_minute() const { return per_minute_; }

  /// When the next may be taken, from `now` on.
  Timestamp next(Timestamp now) const;
  bool allows(Timestamp now) const { return next(now) <= now; }
  void take(Timestamp now);

 private:
  std::uint32_t per_minute_ = 0;
  std::int64_t interval_us_ = 0;
  std::int64_t burst_ = 1;
  Timestamp full_at_;  // when the bucket is full again
};

/// The lower of two limits, either of which may be none.
std::uint32_t lower_limit(std::uint32_t one, std::uint32_t other);

}  // namespace carehub::core
