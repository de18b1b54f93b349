#pragma once

#include "broker/care/fold_entry.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/state_reader.hpp"
#include "schemas/ledger_generated.h"

/// Persons, and whose each identifier is.
namespace carehub::care {

Result<void> fold_people(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows);

Result<std::optional<core::PersonRecord>> person_record(const RowReads& rows, const PersonKey& person);
Result<std::optional<PersonKey>> person_linked(const RowReads& rows, const KeyedHash& identifier);

}  // namespace carehub::care
