#pragma once

#include <optional>

#include "broker/core/rules.hpp"

/// Which subscriptions want an event, and whether a channel's scope covers it. Pure functions.
namespace carehub::core {

/// Completed years at `occurred_at`; nullopt when either date is not known well enough.
std::optional<int> age_years(const event::Event& event);

/// The tier that the event's payload states; 0 when none.
int tier_of(const event::Event& event);

/// emergency before urgent before the rest; safeguarding flags and Tier 4 admissions count as urgent at least.
event::Urgency urgency_of(const event::Event& event);

bool matches(const ledger::FilterT& filter, const event::Event& event);

/// Empty when in scope; otherwise why not, without personal data ("age over 18", "unit not listed").
std::optional<std::string> out_of_scope(const Scope& scope, const event::Event& event);

}  // namespace carehub::core
