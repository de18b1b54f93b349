#pragma once

#include <unordered_map>

#include "broker/core/state_reader.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::core {

/// Days since 1970-01-01 in UTC.
std::int64_t utc_day(Timestamp at);

/// The purpose whose key seals what the hub itself records: deliveries, subscriptions, policies, accesses.
constexpr const char* kHubPurpose = "hub";
/// The purpose whose key seals a channel's refusals.
std::string refusal_purpose(std::string_view agency, std::string_view channel);

/// Keys for entries that are about no one child: one for each purpose and UTC day, minted when it is first
/// needed. The entry that it sealed is what remembers it, so that a restart goes on with it.
class DayKeys {
 public:
  DayKeys(const StateReader& state, storage::Vault& vault) : state_(state), vault_(vault) {}

  /// Error `unavailable`: the vault cannot be extended.
  Result<KeyId> key(const std::string& purpose, Timestamp at);

 private:
  struct Known {
    std::int64_t day = 0;
    KeyId id;
  };
  const StateReader& state_;
  storage::Vault& vault_;
  std::unordered_map<std::string, Known> known_;  // of each purpose's newest day
};

}  // namespace carehub::core
