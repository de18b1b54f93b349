#include "adapters/console/lockout.hpp"

#include <algorithm>

namespace carehub::adapters {

std::int64_t Lockout::wait_s(const std::string& who) const {
  const auto found = entries_.find(who);
  if (found == entries_.end()) return 0;
  const std::int64_t left_us = found->second.until_us - clock_.steady_us();
  return left_us <= 0 ? 0 : (left_us + kSecondUs - 1) / kSecondUs;
}

void Lockout::begin(const std::string& who) {
  const std::int64_t now_us = clock_.steady_us();
  if (!entries_.contains(who) && entries_.size() >= kEntriesMax) {
    entries_.erase(std::ranges::min_element(entries_, [](const auto& one, const auto& other) {
      return one.second.last_us < other.second.last_us;
    }));
  }
  Entry& entry = entries_[who];
  if (now_us - entry.last_us >= kForgottenUs) entry = {};
  ++entry.wrong;
  entry.last_us = now_us;
  if (entry.wrong < kFree) return;
  const std::uint32_t doubled = std::min(entry.wrong - kFree, 10U);
  entry.until_us = now_us + std::min(kFirstWaitUs << doubled, kWaitUsMax);
}

void Lockout::take_back(const std::string& who) {
  const auto found = entries_.find(who);
  if (found == entries_.end()) return;
  found->second.until_us = 0;
  if (--found->second.wrong == 0) entries_.erase(found);
}

}  // namespace carehub::adapters
