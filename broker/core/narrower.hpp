#pragma once

#include <vector>

#include "broker/core/policy.hpp"

/// Which of two rules of a role is about less. A rule's conditions are its types, tiers, ages, relationship,
/// agreement and the marks of protected children that withhold an event whole and that it sees through.
namespace carehub::core {

/// Whether whatever fits `rule` fits `other` too, by each condition, and not the other way round. Between
/// relationships only `any` is wider than another.
bool is_narrower(const DisclosureRule& rule, const DisclosureRule& other);

/// Whether both make the same view of whatever fits them, on the same basis. They may be of two policies.
bool show_the_same(const DisclosureRule& left, const DisclosureRule& right);

/// Two rules of a role that may fit one event and do not show the same of it, or not on the same basis.
struct Contradiction {
  const DisclosureRule* decides = nullptr;  // where both fit
  const DisclosureRule* other = nullptr;
  bool narrower = false;  // `decides` is narrower; else it is only the earlier
};

/// In the order of the policy, which outlives them.
std::vector<Contradiction> contradictions_in(const Policy& policy);

}  // namespace carehub::core
