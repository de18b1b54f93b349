#pragma once

#include "broker/core/engine.hpp"

namespace carehub::core {

/// Tells operators that a subscription has been paused for long: after four hours, and once each day.
class PauseAlarm {
 public:
  void look(const std::string& subscription, Timestamp since, Timestamp now, Decision& out);
  /// When the next look is due.
  Timestamp due(Timestamp since) const;
  void resumed() { told_ = 0; }

 private:
  std::int64_t told_ = 0;  // the step of its age that was told last; steps count from 1
};

}  // namespace carehub::core
