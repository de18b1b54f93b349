#pragma once

#include <atomic>

#include "broker/base/clock.hpp"

namespace carehub::fakes {

/// A clock that stands still until a test moves it. Thread-safe.
class HandClock final : public Clock {
 public:
  explicit HandClock(Timestamp at) : us_(at.us) {}

  Timestamp now() const override { return {us_.load()}; }
  std::int64_t steady_us() const override { return steady_us_.load(); }
  /// The clock on the wall is set; the steady one does not notice.
  void set(Timestamp at) { us_.store(at.us); }
  void advance_ms(std::int64_t ms) {
    us_.fetch_add(ms * kMillisecondUs);
    steady_us_.fetch_add(ms * kMillisecondUs);
  }

 private:
  std::atomic<std::int64_t> us_;
  std::atomic<std::int64_t> steady_us_ = 0;
};

}  // namespace carehub::fakes
