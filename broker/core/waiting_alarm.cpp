#include "broker/core/waiting_alarm.hpp"

#include <algorithm>

namespace carehub::core {
namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
constexpr std::array<std::int64_t, 3> kFirstStepsUs = {900 * kSecondUs, 3'600 * kSecondUs,
                                                       14'400 * kSecondUs};
constexpr auto kFirstSteps = static_cast<std::int64_t>(kFirstStepsUs.size());
constexpr std::int64_t kLookAgainUs = 60 * kSecondUs;  // after something was taken
constexpr std::size_t kLookedRows = 64;  // what was sent again late stands before older ones in sequence

/// At which age a step begins; steps count from 1.
std::int64_t step_us(std::int64_t step) {
  return step <= kFirstSteps ? kFirstStepsUs[static_cast<std::size_t>(step - 1)]
                             : (step - kFirstSteps) * kDayUs;
}

std::int64_t step_of(std::int64_t age_us) {
  if (age_us >= kDayUs) return kFirstSteps + age_us / kDayUs;
  return std::ranges::count_if(kFirstStepsUs, [&](std::int64_t step) { return step <= age_us; });
}

}  // namespace

void WaitingAlarm::taken(Timestamp now) {
  if (told_ > 0 && look_at_) look_at_ = std::min(*look_at_, Timestamp{now.us + kLookAgainUs});
}

Result<void> WaitingAlarm::look(const StateReader& state, const std::string& subscription, const char* why,
                                Timestamp now, Decision& out) {
  if (offered_ && !look_at_) look_at_ = Timestamp{now.us + step_us(1)};
  offered_ = false;
  if (!look_at_ || now < *look_at_) return {};
  const auto waiting = state.pending(subscription, 0, kLookedRows);
  if (!waiting) return tl::unexpected(waiting.error());
  std::int64_t step = 0;
  look_at_.reset();
  if (!waiting->empty()) {
    const auto oldest = std::ranges::min(*waiting, {}, &Pending::offered_at).offered_at;
    step = step_of(now.us - oldest.us);
    if (step > told_) {
      out.alarms.push_back({"deliveries_waiting", "subscription " + subscription +
                                                      ": its oldest delivery waits since " +
                                                      to_rfc3339(oldest) + "; " + why});
    }
    // A clock that was wrong when it was offered puts no look off for ever.
    look_at_ = std::min(Timestamp{oldest.us + step_us(step + 1)}, Timestamp{now.us + kDayUs});
  }
  if (step == 0 && told_ > 0) {
    out.alarms.push_back(
        {"deliveries_caught_up", "subscription " + subscription + ": nothing waits for long any more"});
  }
  told_ = step;
  return {};
}

}  // namespace carehub::core
