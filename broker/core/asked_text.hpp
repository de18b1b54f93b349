#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/ids.hpp"
#include "schemas/wire_generated.h"

/// What an Access says of a question: under which conditions it was asked. No value that may be a child's
/// number is in it, and it is never longer than kAskedBytesMax.
namespace carehub::core {

constexpr std::size_t kAskedBytesMax = 1024;
constexpr std::size_t kAskedValuesMax = 16;  // of one list
/// In an agency's place, of what had been offered by then: each that there was.
constexpr std::string_view kEveryAgency = "*";

/// Of a policy that goes with a question or a change.
constexpr std::size_t kPolicyTextBytesMax = 1U << 20U;

/// Whether a value that somebody typed may stand in an Access: a plain word, and no NHS number or UPN.
bool may_be_told(std::string_view value);

/// Whether one of these times, in microseconds, lies outside the years 0 to 9999. Such a one is nobody's
/// question: it would overflow where one more is added to it.
bool beyond_all_years(std::initializer_list<std::int64_t> times);
constexpr const char* kBeyondAllYears =
    "a time lies outside the years 0 to 9999: times are microseconds since 1970, in UTC";

class AskedText {
 public:
  /// The hub's own words.
  AskedText& add(std::string_view words);
  /// A condition with what it was asked for; nothing where that is empty.
  AskedText& add(std::string_view name, std::string_view value);
  AskedText& add(std::string_view name, const std::vector<std::string>& values);

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// The conditions of a question and of a replay.
void add_conditions(const wire::Query& query, AskedText& text);
void add_conditions(const ledger::Filter& filter, AskedText& text);

/// What can be read back, of what asked_of() wrote first: no word that was typed can stand in for it. Where
/// it is nothing, the question was not narrowed by it.
struct AskedSpan {
  std::optional<std::pair<Sequence, Sequence>> entries;
  std::string journey;  // its hash
  std::string agency;   // that sent the events
};
AskedSpan asked_span(std::string_view what);

}  // namespace carehub::core
