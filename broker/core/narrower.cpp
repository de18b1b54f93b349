#include "broker/core/narrower.hpp"

#include <algorithm>

namespace carehub::core {
namespace {

constexpr std::uint8_t kAgeMax = 255;

/// The marks that withhold an event whole and that this rule sees through: the others keep no event from it.
RestrictionSet opened_by(const DisclosureRule& rule) {
  RestrictionSet opened = 0;
  for (const auto mark : event::EnumValuesRestriction()) {
    const auto bit = bit_of(mark);
    if (withholds_all(bit) && (rule.sees_restricted & bit) != 0)
      opened = static_cast<RestrictionSet>(opened | bit);
  }
  return opened;
}

/// Both lists are sorted; an empty one is without a condition where `empty_is_any`.
template <class T>
bool within(const std::vector<T>& inner, const std::vector<T>& outer, bool empty_is_any) {
  if (empty_is_any && outer.empty()) return true;
  if (empty_is_any && inner.empty()) return false;
  return std::ranges::includes(outer, inner);
}

bool ages_within(const DisclosureRule& inner, const DisclosureRule& outer) {
  if (!outer.has_ages()) return true;
  if (!inner.has_ages()) return false;
  return inner.age_min_years.value_or(0) >= outer.age_min_years.value_or(0) &&
         inner.age_max_years.value_or(kAgeMax) <= outer.age_max_years.value_or(kAgeMax);
}

/// Consent given is within what is not refused, and that within what dissent does not stop. Of two that need
/// the same, the one that looks at more refusals, or at fewer consents.
bool consent_within(const DisclosureRule& inner, const DisclosureRule& outer) {
  if (inner.consent != outer.consent) return inner.consent > outer.consent;
  if (inner.consent == ConsentNeed::given) return within(inner.consent_scopes, outer.consent_scopes, false);
  return within(outer.consent_scopes, inner.consent_scopes, true);
}

bool is_within(const DisclosureRule& inner, const DisclosureRule& outer) {
  const auto opened = opened_by(inner);
  return inner.role == outer.role && within(inner.types, outer.types, false) &&
         within(inner.tiers, outer.tiers, true) && ages_within(inner, outer) &&
         (outer.relationships.empty() || (!inner.relationships.empty() &&
                                          std::ranges::includes(outer.relationships, inner.relationships))) &&
         within(inner.home_authorities, outer.home_authorities, true) && consent_within(inner, outer) &&
         (inner.break_glass_minutes || !outer.break_glass_minutes) &&
         (outer.agreement.empty() || inner.agreement == outer.agreement) &&
         (opened & opened_by(outer)) == opened;
}

template <class T>
bool overlap(const std::vector<T>& left, const std::vector<T>& right, bool empty_is_any) {
  if (empty_is_any && (left.empty() || right.empty())) return true;
  return std::ranges::find_first_of(left, right) != left.end();
}

bool may_both_fit(const DisclosureRule& left, const DisclosureRule& right) {
  const auto min = std::max(left.age_min_years.value_or(0), right.age_min_years.value_or(0));
  const auto max = std::min(left.age_max_years.value_or(kAgeMax), right.age_max_years.value_or(kAgeMax));
  return left.role == right.role && overlap(left.types, right.types, false) &&
         overlap(left.tiers, right.tiers, true) && min <= max;
}

}  // namespace

bool show_the_same(const DisclosureRule& left, const DisclosureRule& right) {
  const auto same_path = [](const FieldPath& one, const FieldPath& other) {
    return one.text() == other.text();
  };
  const auto same_field = [](const CoarsenedField& one, const CoarsenedField& other) {
    return one.path.text() == other.path.text() && one.how == other.how &&
           one.replacement == other.replacement;
  };
  return left.legal_basis == right.legal_basis && left.addressee_only == right.addressee_only &&
         left.sees_restricted == right.sees_restricted && left.young_person_from == right.young_person_from &&
         std::ranges::is_permutation(left.show, right.show, same_path) &&
         std::ranges::is_permutation(left.coarsen, right.coarsen, same_field);
}

bool is_narrower(const DisclosureRule& rule, const DisclosureRule& other) {
  return is_within(rule, other) && !is_within(other, rule);
}

std::vector<Contradiction> contradictions_in(const Policy& policy) {
  std::vector<Contradiction> found;
  const auto& rules = policy.rules();
  for (auto earlier = rules.begin(); earlier != rules.end(); ++earlier) {
    for (auto later = earlier + 1; later != rules.end(); ++later) {
      if (!may_both_fit(*earlier, *later) || show_the_same(*earlier, *later)) continue;
      if (is_narrower(*later, *earlier)) {
        found.push_back({&*later, &*earlier, true});
      } else {
        found.push_back({&*earlier, &*later, is_narrower(*earlier, *later)});
      }
    }
  }
  return found;
}

}  // namespace carehub::core
