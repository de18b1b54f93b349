#include "broker/core/agreement_alarm.hpp"

#include <algorithm>

namespace carehub::core {
namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

}  // namespace

void AgreementAlarm::look(const Policy& policy, Timestamp now, Decision& out) {
  const auto day = now.us / kDayUs;
  if (day < next_day_) return;
  next_day_ = day + 1;
  for (const auto& agreement : policy.agreements()) {
    if (!ends_soon(agreement, now)) continue;
    if (std::ranges::find(policy.rules(), agreement.name, &DisclosureRule::agreement) == policy.rules().end())
      continue;
    if (standing_of(agreement, now) == Standing::lapsed) {
      out.alarms.push_back(
          {"agreement_lapsed", end_text(agreement, now) + "; nothing is shown under it any more"});
    } else {
      out.alarms.push_back(
          {"agreement_ends_soon", end_text(agreement, now) + "; nothing is shown under it afterwards"});
    }
  }
}

std::optional<Timestamp> AgreementAlarm::due(const Policy& policy) const {
  if (policy.agreements().empty()) return std::nullopt;
  return Timestamp{next_day_ * kDayUs};
}

}  // namespace carehub::core
