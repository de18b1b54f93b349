#pragma once

#include <optional>

#include "broker/core/engine.hpp"
#include "broker/core/policy.hpp"

namespace carehub::core {

/// Tells operators of each agreement that a rule needs and that has lapsed or lapses within sixty days: when
/// the hub starts, and once each day (UTC).
class AgreementAlarm {
 public:
  void look(const Policy& policy, Timestamp now, Decision& out);
  /// When the next look is due; nullopt: the policy has no agreement.
  std::optional<Timestamp> due(const Policy& policy) const;

 private:
  std::int64_t next_day_ = 0;  // days since 1970-01-01
};

}  // namespace carehub::core
