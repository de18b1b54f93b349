#pragma once

#include <map>

#include "broker/care/past_reader.hpp"
#include "schemas/wire_generated.h"

namespace carehub::care {

/// Counts by subscriber and type of event what a replay would show to whom: each subscription by its own
/// filter, its role and the policy of today.
class ReplayPreview {
 public:
  ReplayPreview(const PastReader& past, std::vector<core::Subscription> subscriptions, Timestamp at)
      : past_(&past), subscriptions_(std::move(subscriptions)), at_(at) {}

  Result<void> count(const PastEvent& past);
  /// What one asker is shown or not, under no subscription's name.
  void count(event::EventType type, bool shown);
  std::vector<std::unique_ptr<wire::ReplayCountT>> counts() const;
  /// How many entries one part may look at, so that its work is bounded however many subscriptions there are.
  std::size_t entries_max() const;

 private:
  struct Count {
    std::uint64_t matched = 0;
    std::uint64_t withheld = 0;
  };
  const PastReader* past_;
  std::vector<core::Subscription> subscriptions_;
  Timestamp at_;
  std::map<std::pair<std::string, event::EventType>, Count> counts_;
};

}  // namespace carehub::care
