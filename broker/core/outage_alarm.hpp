#pragma once

#include "broker/core/engine.hpp"

namespace carehub::core {

/// Tells operators that a subscription's receiver is unavailable: at once, after 5 minutes, 1 hour and 1 day.
class OutageAlarm {
 public:
  void look(const std::string& subscription, std::optional<Timestamp> since, Timestamp now, Decision& out);
  void over() { told_ = 0; }

 private:
  std::size_t told_ = 0;  // in this outage
};

}  // namespace carehub::core
