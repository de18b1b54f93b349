#include "tests/simulation/county.hpp"

#include "tests/fakes/engine_harness.hpp"

namespace carehub::simulation {
namespace {

using event::EventType;

bool is_stay(const Publication& publication) {
  return publication.type == EventType::admission || publication.type == EventType::discharge;
}

Due due_at_desk(const Publication& publication) {
  const bool shown = is_stay(publication) || publication.type == EventType::referral ||
                     publication.type == EventType::safeguarding_flag;
  return shown ? Due::offered : Due::withheld;
}

Due due_at_flags(const Publication& publication) {
  const bool wanted =
      publication.type == EventType::safeguarding_flag || publication.type == EventType::referral;
  return wanted ? Due::offered : Due::nothing;
}

Due due_at_holm(const Publication& publication) {
  if (publication.school != "900101") return Due::nothing;
  return is_stay(publication) ? Due::offered : Due::withheld;
}

Due due_at_priory(const Publication& publication) {
  return is_stay(publication) && publication.school == "900202" ? Due::offered : Due::withheld;
}

Due due_at_commissioner(const Publication& publication) {
  return is_stay(publication) && publication.tier == 4 ? Due::offered : Due::nothing;
}

const char* leak_of_narrow_view(const event::Event& view) {
  const auto* person = view.person();
  if (person != nullptr) {
    if (person->birth_date() != nullptr) return "a birth date";
    if (person->school() != nullptr) return "a school";
  }
  if (view.referral() != nullptr || view.safeguarding_flag() != nullptr || view.attendance() != nullptr)
    return "a payload";
  return nullptr;
}

const char* leak_to_council(const event::Event& view) {
  if (view.person() != nullptr && view.person()->names() != nullptr) return "a name";
  return leak_of_narrow_view(view);
}

const char* leak_to_school(const event::Event& view) {
  if (view.person() != nullptr && view.person()->nhs_number() != nullptr) return "an NHS number";
  if (view.admission() != nullptr || view.discharge() != nullptr) return "a stay";
  return leak_of_narrow_view(view);
}

const char* leak_to_commissioner(const event::Event& view) {
  if (view.person() != nullptr && view.person()->names() != nullptr) return "a name";
  if (view.discharge() != nullptr) return "a discharge";
  return leak_of_narrow_view(view);
}

constexpr std::uint32_t kAttempts = 4;
constexpr std::uint32_t kUsualAttempts = 8;

}  // namespace

const std::array<Interest, kInterests>& interests() {
  static const std::array<Interest, kInterests> all = {{
      {0, "council-duty-desk", "northmarch-council", "social-care-duty", true, true, kAttempts, due_at_desk,
       leak_to_council},
      {1, "holm-notices", "holm-school", "school-pastoral", true, true, kAttempts, due_at_holm,
       leak_to_school},
      {2, "tier4-notice", "march-commissioner", "tier4-case-manager", true, true, kAttempts,
       due_at_commissioner, leak_to_commissioner},
      {3, "council-flags", "northmarch-council", "social-care-duty", false, true, kUsualAttempts,
       due_at_flags, leak_to_council},
      {4, "priory-notices", "priory-school", "school-pastoral", false, false, kUsualAttempts, due_at_priory,
       leak_to_school},
  }};
  return all;
}

const Interest* interest_named(const std::string& name) {
  for (const Interest& interest : interests()) {
    if (name == interest.name) return &interest;
  }
  return nullptr;
}

ledger::FilterT filter_of(const Interest& interest) {
  ledger::FilterT filter;
  if (interest.number == 3) filter.types = {EventType::safeguarding_flag, EventType::referral};
  return filter;
}

const std::array<PublisherDesk, 2>& publisher_desks() {
  static const std::array<PublisherDesk, 2> desks = {
      {{"elwick-hospital", "elwick-adt"}, {"fenbrook-camhs", "fenbrook-adt"}}};
  return desks;
}

core::HubRules rules_of_county() {
  core::HubRules rules = fakes::EngineHarness::county();
  for (core::Subscription& subscription : rules.subscriptions) {
    subscription.retry.attempts_max = kAttempts;
    subscription.retry.backoff_max_ms = 8'000;
  }
  return rules;
}

Publication write_publication(const Draft& draft) {
  Publication publication;
  publication.publisher = draft.publisher;
  publication.id = draft.id;
  publication.type = draft.type;
  publication.child = draft.child;
  publication.tier = draft.tier;
  publication.school = draft.school == 0 ? "900101" : "900202";

  fakes::EventSpec spec;
  spec.type = draft.type;
  spec.child = draft.child;
  spec.agency = publisher_desks()[static_cast<std::size_t>(draft.publisher)].agency;
  spec.id = draft.id;
  spec.tier = draft.tier;
  spec.school_urn = publication.school;
  if (draft.adult) {
    spec.birth_year = 1980;
    publication.fate = Fate::not_kept;
  }
  event::EventT event = fakes::make_event(spec);
  event.source_message_id = draft.content;
  auto name = std::make_unique<event::NameT>();
  name->family = "Example";
  event.person->names.push_back(std::move(name));
  if (draft.absurd) {
    event.person->nhs_number = "1234567890";
    publication.fate = Fate::refused;
  }
  publication.event = fakes::pack_event(event);
  return publication;
}

}  // namespace carehub::simulation
