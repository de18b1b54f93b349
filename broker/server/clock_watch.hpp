#pragma once

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/core/engine.hpp"

namespace carehub::server {

/// How far this machine's clock may be from the time that entries are stamped with before operators are told,
/// and how near it has to come before that is over.
constexpr std::int64_t kClockDiffersUs = 300 * kSecondUs;
constexpr std::int64_t kClockAgreesUs = 60 * kSecondUs;

/// Tells operators when entries are stamped with another time than this machine's clock shows: after a jump
/// of that clock, which the hub follows slowly, and when the newest entry lies in the future, as no later one
/// is stamped earlier. Once for each time, and when it is over. For one thread.
class ClockWatch {
 public:
  /// `newest`: when the newest entry was written down; 0 where there is none.
  explicit ClockWatch(Timestamp newest = {}) : newest_(newest) {}

  /// `wall` is this machine's clock, `own` the hub's time, `head` the newest entry.
  void look(Timestamp wall, Timestamp own, Sequence head, core::Decision& out);

 private:
  Timestamp newest_;
  bool told_ = false;
};

}  // namespace carehub::server
