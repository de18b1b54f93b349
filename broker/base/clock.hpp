#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace carehub {

/// Microseconds since 1970-01-01T00:00Z.
struct Timestamp {
  std::int64_t us = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

constexpr std::int64_t kMillisecondUs = 1'000;
constexpr std::int64_t kSecondUs = 1'000'000;

/// RFC 3339 in UTC with milliseconds: 2026-03-01T09:30:00.000Z.
std::string to_rfc3339(Timestamp at);

/// The time, passed in so that a test can tick it by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  /// Microseconds since some moment. It runs on while now() is set anew, and never goes back.
  virtual std::int64_t steady_us() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
  std::int64_t steady_us() const override;
};

}  // namespace carehub
