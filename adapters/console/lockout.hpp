#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "broker/base/clock.hpp"

namespace carehub::adapters {

/// Who has to wait after wrong attempts: five are free, then 30 seconds, doubling up to 15 minutes. An hour
/// without one is a new start. Remembers a bounded number; beyond it the one heard of least recently goes.
/// What it is asked about is a text, such as an account's name or an address. Not thread-safe.
class Lockout {
 public:
  explicit Lockout(const Clock& clock) : clock_(clock) {}

  /// Seconds, rounded up; 0: it may try.
  std::int64_t wait_s(const std::string& who) const;
  /// An attempt begins, and counts as wrong until it is taken back: those under way together are no more
  /// than those one after the other.
  void begin(const std::string& who);
  /// It was right: it does not count.
  void take_back(const std::string& who);
  /// It was right, and whatever was before is forgotten.
  void forget(const std::string& who) { entries_.erase(who); }
  std::size_t size() const { return entries_.size(); }

  static constexpr std::uint32_t kFree = 5;
  static constexpr std::int64_t kFirstWaitUs = 30 * kSecondUs;
  static constexpr std::int64_t kWaitUsMax = 900 * kSecondUs;
  static constexpr std::int64_t kForgottenUs = 3'600 * kSecondUs;
  static constexpr std::size_t kEntriesMax = 4'096;

 private:
  struct Entry {
    std::uint32_t wrong = 0;
    std::int64_t last_us = 0;
    std::int64_t until_us = 0;
  };

  const Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace carehub::adapters
