#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/rules.hpp"

/// Which subscriptions want an event, and whether a channel's scope covers it. Pure functions over a verified
/// event. An event without occurred_at is taken to have happened when it was received.
namespace carehub::core {

/// Completed years at `occurred_at`; nullopt when either date is not known well enough.
std::optional<int> age_years(const event::Event& event);

/// The tier that the event's payload states; 0 when none.
int tier_of(const event::Event& event);

/// emergency before urgent before the rest; safeguarding flags and Tier 4 admissions count as urgent at
/// least, a flag that says immediate danger as emergency.
event::Urgency urgency_of(const event::Event& event);

/// All conditions must hold; one on what the event does not say fails, an uncertain age included. Who wants a
/// type of event wants its cancels as well. `channel`: the inbound channel that it came by, as the hub
/// recorded it; empty: none.
bool matches(const ledger::FilterT& filter, const event::Event& event, std::string_view channel = {});

/// Whether what an agency asked for itself has conditions besides types of event, which it may know. Such a
/// filter looks at what its role is shown, or it would tell by what comes what is withheld.
bool looks_at_view(const Subscription& subscription);

/// The conditions besides types, against what a role is shown. An inbound channel counts where it is shown.
bool matches_view(const ledger::FilterT& filter, const event::Event& view, std::string_view channel);

/// Whether an event of this type may match at all.
bool may_want(const ledger::FilterT& filter, event::EventType type);

/// Empty when in scope; otherwise why not, without personal data ("age over 18", "unit not listed").
/// Only what is certain puts an event out of scope: no birth date, or no unit, is in scope.
std::optional<std::string> out_of_scope(const Scope& scope, const event::Event& event);

/// True when the organisation has one of the official codes; a sender's local code never counts.
bool has_code(const event::Organisation* organisation, const std::vector<std::string>& codes);

/// The places of care that the payload names (where the stay was before is not one of them).
std::vector<const event::Location*> locations_of(const event::Event& event);

}  // namespace carehub::core
