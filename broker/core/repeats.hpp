#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/day_keys.hpp"

namespace carehub::core {

/// An OperatorAction of the hub itself: how many messages came again and got their old receipt.
constexpr const char* kRepeatsAction = "messages that came again";

struct Repeats {
  std::string agency;
  std::string channel;
  std::uint64_t count = 0;
};
/// As the entry's detail says it, and back; what is no such text is left out.
std::string repeats_text(const std::vector<Repeats>& repeats);
std::vector<Repeats> parse_repeats(std::string_view text);

/// Counts messages that came again. None of them has an entry of its own: a sender that starts anew may send
/// all that it has once more. They are written down together, at most once a minute, so a hub that stops
/// forgets those of its last minute.
class RepeatCounts {
 public:
  RepeatCounts(Journal& journal, DayKeys& day_keys) : journal_(journal), day_keys_(day_keys) {}

  void add(const std::string& agency, const std::string& channel) { ++counts_[{agency, channel}]; }
  /// Writes down what has gathered, when it is time; when that is, where something has. A vault that cannot
  /// be extended is asked again a minute later.
  Result<std::optional<Timestamp>> advance(Timestamp now);

  static constexpr std::int64_t kApartUs = 60 * kSecondUs;

 private:
  Journal& journal_;
  DayKeys& day_keys_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts_;
  std::optional<Timestamp> written_;
};

}  // namespace carehub::core
