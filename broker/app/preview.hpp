#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/core/domain_checks.hpp"
#include "broker/server/config.hpp"

/// What the hub would decide about an event, from the configuration alone: the same pure functions that the
/// broker runs, without a ledger. What depends on history (duplicates, a discharge without its admission) is
/// not foretold.
namespace carehub::app {

/// What one subscription would get.
struct DisclosurePreview {
  enum class Verdict : std::uint8_t { not_wanted, withheld, shown } verdict = Verdict::not_wanted;
  std::string subscription;
  std::string agency;
  std::string role;
  std::string rule;         // of `shown`
  std::string legal_basis;  // of `shown`
  Bytes view;               // of `shown`
  std::size_t fields_withheld = 0;
};

struct EventPreview {
  std::vector<core::EventFault> faults;        // each would refuse it
  std::optional<std::string> out_of_scope;     // it would not be kept
  std::vector<DisclosurePreview> disclosures;  // of every configured subscription; empty when it is not taken
};

/// `channel` names an inbound channel of the configuration; its agency may or may not publish the event's
/// type.
Result<EventPreview> preview_event(const server::HubConfig& config, const std::string& channel,
                                   const event::Event& event, Timestamp now);

}  // namespace carehub::app
