#include "broker/core/view_change.hpp"

#include "broker/base/assert.hpp"
#include "broker/core/narrower.hpp"

namespace carehub::core {
namespace {

/// `person.names[1].given[0]` is one of `person.names[].given[]`.
std::string without_places(std::string_view path) {
  std::string text;
  bool place = false;
  for (const char each : path) {
    if (each == ']') place = false;
    if (!place) text += each;
    if (each == '[') place = true;
  }
  return text;
}

bool by_another_text(const ExplainedField& before, const ExplainedField& after) {
  return before.coarsened != nullptr && after.coarsened != nullptr &&
         before.coarsened->replacement != after.coarsened->replacement;
}

}  // namespace

const char* word_of(Extent extent) {
  switch (extent) {
    case Extent::nothing: return "withheld";
    case Extent::replaced: return "replaced";
    case Extent::pseudonymised: return "pseudonymised";
    case Extent::to_district: return "to_district";
    case Extent::to_year: return "to_year";
    case Extent::to_month: return "to_month";
    case Extent::to_date: return "to_date";
    case Extent::whole: return "shown";
  }
  return "withheld";
}

Extent extent_of(const ExplainedField& field) {
  if (field.seen == Seen::shown) return Extent::whole;
  if (field.seen != Seen::coarsened) return Extent::nothing;
  CAREHUB_ASSERT(field.coarsened != nullptr, "what is coarsened is so by a rule");
  switch (field.coarsened->how) {
    case Coarsening::to_date: return Extent::to_date;
    case Coarsening::to_month: return Extent::to_month;
    case Coarsening::to_year: return Extent::to_year;
    case Coarsening::to_district: return Extent::to_district;
    case Coarsening::pseudonymised: return Extent::pseudonymised;
    case Coarsening::replaced: return Extent::replaced;
  }
  return Extent::nothing;
}

std::set<FieldChange> view_changes(const DisclosureRule* before, const DisclosureRule* after,
                                   const event::Event& event, RestrictionSet marks, std::size_t& judged) {
  std::set<FieldChange> changes;
  if (before == nullptr && after == nullptr) return changes;
  if (before != nullptr && after != nullptr && show_the_same(*before, *after)) return changes;
  // Both lists are of the event's fields, in schema order.
  const auto was = explain_fields(before != nullptr ? *before : *after, event, marks);
  const auto is = explain_fields(after != nullptr ? *after : *before, event, marks);
  judged += was.size() + is.size();
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i].path == "id" || was[i].path == "type") continue;
    FieldChange change;
    if (before != nullptr) change.before = extent_of(was[i]);
    if (after != nullptr) change.after = extent_of(is[i]);
    const bool same = change.before == change.after &&
                      (change.before != Extent::replaced || !by_another_text(was[i], is[i]));
    if (same) continue;
    change.path = without_places(was[i].path);
    changes.insert(std::move(change));
  }
  return changes;
}

}  // namespace carehub::core
