#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/config_reader.hpp"
#include "schemas/ledger_generated.h"

/// Filters as people write them, in hub.toml and on a command line alike.
namespace carehub::server {

/// What is wrong with one word, and what to do about it.
struct WordFault {
  std::string text;
  std::string remedy;
};

/// Adds one condition to the filter. `key` is one of filter_keys(). Ages are birthdays: age_max = 18 is
/// everybody until the 18th birthday. nullopt: added.
std::optional<WordFault> add_condition(ledger::FilterT& filter, std::string_view key,
                                       const std::string& word);

/// types, agencies, channels, tiers, thrive, age_min, age_max, home_authorities, gp_practices, schools,
/// flag_reasons.
const std::vector<std::string>& filter_keys();

/// Reads a `filter = { ... }` table; faults go to its document. Agencies must be among `agencies`.
ledger::FilterT read_filter(ConfigTable& table, const std::vector<std::string>& agencies);

/// Ages of a table as birthdays, age_min below age_max; a fault otherwise.
struct Ages {
  std::optional<std::uint8_t> years_min;  // completed years, inclusive
  std::optional<std::uint8_t> years_max;  // completed years, inclusive
};
Ages read_ages(ConfigTable& table);

/// "Did you mean `x`?", or the whole list.
std::string suggest(const std::string& word, const std::vector<std::string>& candidates);

/// Event types that can be configured, by name.
const std::vector<std::string>& event_type_names();

}  // namespace carehub::server
