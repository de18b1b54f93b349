#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/state_reader.hpp"
#include "schemas/ledger_generated.h"

/// Subscriptions, the policies and agencies that were in force, and which key seals a day's entries that are
/// about no one child.
namespace carehub::care {

Result<void> fold_subscription_changed(const FoldEntry& entry, const ledger::SubscriptionChanged& change,
                                       Rows& rows);
void fold_policy_changed(const FoldEntry& entry, const ledger::PolicyChanged& change, Rows& rows);
void fold_config_changed(const FoldEntry& entry, const ledger::ConfigChanged& change, Rows& rows);
Result<void> fold_day_key(const FoldEntry& entry, const std::string& purpose, Rows& rows);

/// Those that are not removed, in order of their names.
Result<std::vector<core::Subscription>> subscription_rows(const RowReads& rows);
/// Those that are removed, in order of their names.
Result<std::vector<core::EngineState::FormerSubscription>> former_subscription_rows(const RowReads& rows);
/// Of those that are paused or not at the ledger's end, by name.
Result<std::map<std::string, core::Course>> course_rows(const RowReads& rows);
Result<core::Course> course_row(const RowReads& rows, std::string_view name);
/// In version order.
Result<std::vector<core::EngineState::KnownPolicy>> policy_rows(const RowReads& rows);
/// The agencies as text (core/agencies_text), in version order: in force behind the entry of that number.
Result<std::vector<core::EngineState::KnownPolicy>> config_rows(const RowReads& rows);
Result<std::optional<KeyId>> day_key_row(const RowReads& rows, const std::string& purpose, std::int64_t day);

}  // namespace carehub::care
