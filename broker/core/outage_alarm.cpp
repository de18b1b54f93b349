#include "broker/core/outage_alarm.hpp"

#include <array>

namespace carehub::core {
namespace {

constexpr std::array<std::int64_t, 4> kAfterUs = {0, 300 * kSecondUs, 3'600 * kSecondUs, 86'400 * kSecondUs};

}  // namespace

void OutageAlarm::look(const std::string& subscription, std::optional<Timestamp> since, Timestamp now,
                       Decision& out) {
  if (!since || told_ >= kAfterUs.size() || now.us - since->us < kAfterUs[told_]) return;
  ++told_;
  out.alarms.push_back(
      {"receiver_unavailable", "subscription " + subscription + ": its receiver has been unavailable since " +
                                   to_rfc3339(*since) + "; deliveries wait, nothing is lost"});
}

}  // namespace carehub::core
