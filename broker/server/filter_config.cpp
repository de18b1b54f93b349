#include "broker/server/filter_config.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "broker/base/event_fields.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/base/names.hpp"

namespace carehub::server {
namespace {

constexpr std::int64_t kAgeYearsMax = 130;

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

std::optional<std::int64_t> whole_number(const std::string& word, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value < min || value > max)
    return std::nullopt;
  return value;
}

const std::vector<std::string>& thrive_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto value : event::EnumValuesThriveGroup()) {
      if (value != event::ThriveGroup::unknown) all.emplace_back(event::EnumNameThriveGroup(value));
    }
    return all;
  }();
  return names;
}

event::ThriveGroup thrive_group_from(const std::string& word) {
  for (const auto value : event::EnumValuesThriveGroup()) {
    if (word == event::EnumNameThriveGroup(value)) return value;
  }
  return event::ThriveGroup::unknown;
}

bool snomed_code(const std::string& code) {
  return code.size() >= 6 && code.size() <= 18 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<WordFault> add_code(std::vector<std::string>& list, const std::string& code, bool good,
                                  const char* form) {
  if (!good) return WordFault{ticked(code) + " is not " + form, "Correct it: nothing would ever match."};
  list.push_back(code);
  return std::nullopt;
}

std::optional<WordFault> add_number(ledger::FilterT& filter, std::string_view key, const std::string& word) {
  if (key == "tiers") {
    const auto tier = whole_number(word, 1, 4);
    if (!tier) return WordFault{"a tier that is not 1 to 4", "Write 1, 2, 3 or 4."};
    filter.tiers.push_back(static_cast<std::uint8_t>(*tier));
    return std::nullopt;
  }
  const auto age = whole_number(word, key == "age_max" ? 1 : 0, kAgeYearsMax);
  if (!age)
    return WordFault{"an age that is not a whole number of years",
                     "Write 0 to 130; 18 is the 18th birthday."};
  if (key == "age_min") {
    filter.age_min_years = static_cast<std::uint8_t>(*age);
  } else {
    filter.age_max_years = static_cast<std::uint8_t>(*age - 1);
  }
  return std::nullopt;
}

}  // namespace

const std::vector<std::string>& filter_keys() {
  static const std::vector<std::string> keys = {"types",        "agencies", "channels",    "tiers",
                                                "thrive",       "age_min",  "age_max",     "home_authorities",
                                                "gp_practices", "schools",  "flag_reasons"};
  return keys;
}

const std::vector<std::string>& event_type_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto value : event::EnumValuesEventType()) {
      if (value != event::EventType::unknown) all.emplace_back(event_type_name(value));
    }
    return all;
  }();
  return names;
}

std::string suggest(const std::string& word, const std::vector<std::string>& candidates) {
  if (candidates.empty()) return "There is none yet: add it first.";
  const std::string nearest = nearest_word(word, candidates);
  if (!nearest.empty()) return "Did you mean " + ticked(nearest) + "?";
  std::string all;
  for (const auto& candidate : candidates) all += (all.empty() ? "" : ", ") + candidate;
  return "Use one of: " + all + ".";
}

std::optional<WordFault> add_condition(ledger::FilterT& filter, std::string_view key,
                                       const std::string& word) {
  if (key == "types") {
    const event::EventType type = event_type_from(word);
    if (type == event::EventType::unknown) {
      return WordFault{"unknown event type " + ticked(word), suggest(word, event_type_names())};
    }
    filter.types.push_back(type);
    return std::nullopt;
  }
  if (key == "thrive") {
    const event::ThriveGroup group = thrive_group_from(word);
    if (group == event::ThriveGroup::unknown) {
      return WordFault{"unknown THRIVE group " + ticked(word), suggest(word, thrive_names())};
    }
    filter.thrive.push_back(group);
    return std::nullopt;
  }
  if (key == "tiers" || key == "age_min" || key == "age_max") return add_number(filter, key, word);
  if (key == "agencies") {
    filter.agencies.push_back(word);
    return std::nullopt;
  }
  if (key == "channels") {
    if (!is_plain_name(word))
      return WordFault{ticked(word) + " is no channel's name", "Correct it: nothing would ever match."};
    filter.channels.push_back(word);
    return std::nullopt;
  }
  if (key == "home_authorities") {
    return add_code(filter.home_authorities, word, GssCode::parse(word).has_value(),
                    "a GSS code such as E10000099");
  }
  if (key == "gp_practices") {
    return add_code(filter.gp_practices, word, OdsCode::parse(word).has_value(),
                    "an ODS code such as A99999");
  }
  if (key == "schools") {
    return add_code(filter.schools, word, Urn::parse(word).has_value() || Laestab::parse(word).has_value(),
                    "a URN (6 digits) or a LAESTAB (7 digits)");
  }
  if (key == "flag_reasons") {
    return add_code(filter.flag_reasons, word, snomed_code(word), "a SNOMED CT code (6 to 18 digits)");
  }
  return WordFault{"unknown condition " + ticked(key), suggest(std::string(key), filter_keys())};
}

ledger::FilterT read_filter(ConfigTable& table, const std::vector<std::string>& agencies) {
  ledger::FilterT filter;
  for (const auto& key : {"types", "thrive", "agencies", "channels", "home_authorities", "gp_practices",
                          "schools", "flag_reasons"}) {
    const auto words = table.texts(key);
    for (const auto& word : words) {
      if (const auto fault = add_condition(filter, key, word)) table.fault(key, fault->text, fault->remedy);
    }
  }
  for (const auto tier : table.integers("tiers", 1, 4))
    filter.tiers.push_back(static_cast<std::uint8_t>(tier));
  for (const auto& id : filter.agencies) {
    if (std::find(agencies.begin(), agencies.end(), id) != agencies.end()) continue;
    table.fault("agencies", "no [[agency]] has the id " + ticked(id), suggest(id, agencies));
  }
  const Ages ages = read_ages(table);
  if (ages.years_min) filter.age_min_years = *ages.years_min;
  if (ages.years_max) filter.age_max_years = *ages.years_max;
  return filter;
}

Ages read_ages(ConfigTable& table) {
  const auto age_min = table.optional_integer("age_min", 0, kAgeYearsMax);
  const auto age_max = table.optional_integer("age_max", 1, kAgeYearsMax);
  if (age_min && age_max && *age_min >= *age_max) {
    table.fault("age_max", "age_max is not above age_min, so nobody is meant",
                "age_max is the birthday at which it ends: age_min = 11, age_max = 18 is 11 to 17 years.");
  }
  Ages ages;
  if (age_min) ages.years_min = static_cast<std::uint8_t>(*age_min);
  if (age_max) ages.years_max = static_cast<std::uint8_t>(*age_max - 1);
  return ages;
}

}  // namespace carehub::server
