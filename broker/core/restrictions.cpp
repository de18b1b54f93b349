#include "broker/core/restrictions.hpp"

#include <algorithm>
#include <array>

namespace carehub::core {
namespace {

using event::Restriction;

constexpr std::array<std::string_view, 9> kProse{"narrative",     "reason_text", "summary",
                                                 "text",          "note",        "documents",
                                                 "actions_taken", "medication",  "delay_reason"};
/// Whoever looks after the child tells where the child is, and so does a number that a place has given: a
/// pupil number begins with the authority that gave it. Not hidden: `capacity.site`, as beds are no child's;
/// `source_agency`, whom to ask; the numbers of identity_link and identity_merge, which say nothing without
/// them: a rule for whom their issuer tells too much names `identity_merge.retired[].value` alone.
constexpr std::array<std::string_view, 43> kWhereabouts{"addresses",
                                                        "telecoms",
                                                        "contacts",
                                                        "postcode",
                                                        "place",
                                                        "school",
                                                        "gp",
                                                        "gp_practice",
                                                        "home_authority",
                                                        "key_worker",
                                                        "upn",
                                                        "local_identifiers",
                                                        "location",
                                                        "previous_location",
                                                        "from",
                                                        "to",
                                                        "visit_number_issuer",
                                                        "commissioner",
                                                        "consultant",
                                                        "admitting_clinician",
                                                        "referring_clinician",
                                                        "destination_organisation",
                                                        "follow_up_organisation",
                                                        "place_of_safety",
                                                        "officer",
                                                        "notified_by",
                                                        "referrer",
                                                        "referrer_organisation",
                                                        "recipient",
                                                        "recipient_organisation",
                                                        "onward_organisation",
                                                        "recipients",
                                                        "invited",
                                                        "authority",
                                                        "worker",
                                                        "raised_by",
                                                        "lead_professional",
                                                        "lead_organisation",
                                                        "organisation",
                                                        "organisations",
                                                        "chair",
                                                        "author",
                                                        "by"};
/// Whoever gave consent may be a parent of before; the two numbers of a merge are the child's before and
/// after.
constexpr std::array<std::string_view, 9> kBeforeAdoption{
    "local_identifiers",    "contacts",          "addresses", "by", "identifiers", "surviving", "retired",
    "surviving_nhs_number", "retired_nhs_number"};

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
