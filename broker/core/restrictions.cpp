#include "broker/core/restrictions.hpp"

#include <algorithm>
#include <array>

namespace carehub::core {
namespace {

using event::Restriction;

constexpr std::array<std::string_view, 9> kProse{"narrative",     "reason_text", "summary",
                                                 "text",          "note",        "documents",
                                                 "actions_taken", "medication",  "delay_reason"};
constexpr std::array<std::string_view, 19> kWhereabouts{"addresses",
                                                        "telecoms",
                                                        "contacts",
                                                        "postcode",
                                                        "place",
                                                        "school",
                                                        "gp",
                                                        "gp_practice",
                                                        "home_authority",
                                                        "authority",
                                                        "referrer",
                                                        "referrer_organisation",
                                                        "referring_clinician",
                                                        "onward_organisation",
                                                        "destination_organisation",
                                                        "follow_up_organisation",
                                                        "organisation",
                                                        "organisations",
                                                        "by"};
constexpr std::array<std::string_view, 3> kBeforeAdoption{"local_identifiers", "contacts", "addresses"};

template <std::size_t N>
bool has(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

RestrictionSet bit_of(Restriction restriction) {
  if (restriction == Restriction::unknown || restriction > Restriction::MAX) restriction = Restriction::other;
  return static_cast<RestrictionSet>(1U << (static_cast<unsigned>(restriction) - 1U));
}

RestrictionSet restrictions_of(const event::Event& event) {
  RestrictionSet marks = 0;
  if (event.restrictions() == nullptr) return marks;
  for (const auto restriction : *event.restrictions()) {
    marks = static_cast<RestrictionSet>(marks | bit_of(static_cast<Restriction>(restriction)));
  }
  return marks;
}

bool withholds_all(RestrictionSet marks) {
  return (marks & (bit_of(Restriction::witness_protection) | bit_of(Restriction::sealed_record) |
                   bit_of(Restriction::other))) != 0;
}

bool hides_field(RestrictionSet marks, std::string_view name) {
  const bool address = (marks & bit_of(Restriction::sensitive_address)) != 0;
  const bool adopted = (marks & bit_of(Restriction::adopted)) != 0;
  return (address && has(kWhereabouts, name)) || (adopted && has(kBeforeAdoption, name)) ||
         ((address || adopted) && has(kProse, name));
}

bool hides_other_names(RestrictionSet marks) { return (marks & bit_of(Restriction::adopted)) != 0; }

}  // namespace carehub::core
