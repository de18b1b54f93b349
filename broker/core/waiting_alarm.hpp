#pragma once

#include "broker/core/engine.hpp"

namespace carehub::core {

/// Tells operators that a subscription's deliveries wait for long: once for each step of the oldest one's age
/// (15 minutes, 1 hour, 4 hours, and each day), and once more when none is that old any longer. The age comes
/// from the ledger, so a restart changes nothing about it. A look reads a few rows, and there is one only
/// when the next step is due, or some time after something was taken.
class WaitingAlarm {
 public:
  /// Of a subscription that is not watched nothing is told.
  explicit WaitingAlarm(bool watched) : watched_(watched) {
    if (watched) look_at_ = Timestamp{};  // what waited before the start is seen at once
  }

  void offered() { offered_ = watched_; }
  void taken(Timestamp now);

  /// `why` says what an operator sees of the other side.
  Result<void> look(const StateReader& state, const std::string& subscription, const char* why, Timestamp now,
                    Decision& out);

  /// When the next look is due; none while nothing waits.
  std::optional<Timestamp> due() const { return look_at_; }

 private:
  bool watched_;
  bool offered_ = false;  // since the last look
  std::optional<Timestamp> look_at_;
  std::int64_t told_ = 0;  // the step of age that was told last
};

}  // namespace carehub::core
