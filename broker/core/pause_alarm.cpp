#include "broker/core/pause_alarm.hpp"

#include <algorithm>

namespace carehub::core {
namespace {

constexpr std::int64_t kFirstUs = 4 * std::int64_t{3'600} * kSecondUs;
constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

std::int64_t step_of(std::int64_t age_us) {
  return age_us < kFirstUs ? 0 : 1 + std::max<std::int64_t>(0, age_us / kDayUs);
}

}  // namespace

Timestamp PauseAlarm::due(Timestamp since) const {
  return {since.us + (told_ == 0 ? kFirstUs : told_ * kDayUs)};
}

void PauseAlarm::look(const std::string& subscription, Timestamp since, Timestamp now, Decision& out) {
  const auto step = step_of(now.us - since.us);
  if (step <= told_) return;
  told_ = step;
  out.alarms.push_back({"subscription_paused", "subscription " + subscription + ": paused since " +
                                                   to_rfc3339(since) +
                                                   "; what comes waits until it is resumed"});
}

}  // namespace carehub::core
