#include "broker/core/day_keys.hpp"

namespace carehub::core {
namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

}  // namespace

std::int64_t utc_day(Timestamp at) { return (at.us - (at.us < 0 ? kDayUs - 1 : 0)) / kDayUs; }

std::string refusal_purpose(std::string_view agency, std::string_view channel) {
  return std::string("refusal/").append(agency).append("/").append(channel);
}

Result<KeyId> DayKeys::key(const std::string& purpose, Timestamp at) {
  const auto day = utc_day(at);
  const auto known = known_.find(purpose);
  if (known != known_.end() && known->second.day == day) return known->second.id;
  auto used = state_.day_key(purpose, day);
  if (!used) return tl::unexpected(used.error());
  if (!*used) {
    auto minted = vault_.mint();
    if (!minted) return minted;
    *used = *minted;
  }
  known_[purpose] = {day, **used};
  return **used;
}

}  // namespace carehub::core
