#pragma once

#include <set>
#include <string>

#include "broker/core/explanation.hpp"

/// What two rules make of one event, side by side and without any of its values.
namespace carehub::core {

/// How much of a field a view has, the least first.
enum class Extent : std::uint8_t {
  nothing,
  replaced,
  pseudonymised,
  to_district,
  to_year,
  to_month,
  to_date,
  whole
};
/// As a policy's `how` says it; `withheld` and `shown` for the ends.
const char* word_of(Extent extent);
Extent extent_of(const ExplainedField& field);

struct FieldChange {
  std::string path;  // with [] for each element of a list
  Extent before = Extent::nothing;
  Extent after = Extent::nothing;  // the same: another fixed text takes its place

  auto operator<=>(const FieldChange&) const = default;
};

/// Each kind of change once, however many elements of a list it concerns; id and type stand for the event
/// itself and are left out. nullptr: no rule, so nothing is shown. `marks`: the event's and the child's.
/// `judged` grows by the fields that were looked at.
std::set<FieldChange> view_changes(const DisclosureRule* before, const DisclosureRule* after,
                                   const event::Event& event, RestrictionSet marks, std::size_t& judged);

}  // namespace carehub::core
