#include "tests/simulation/county.hpp"

#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/dice.hpp"

namespace carehub::simulation {
namespace {

using event::EventType;

bool is_stay(const Publication& publication) {
  return publication.type == EventType::admission || publication.type == EventType::discharge;
}

/// The other policy: flags under a law of their own, names instead of numbers, schools hear of no discharge.
constexpr const char* kOtherPolicy = R"(
[[rule]]
name = "duty desk"
role = "social-care-duty"
types = ["admission", "discharge"]
show = ["source_agency", "person.names", "admission", "discharge"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "duty desk, flags"
role = "social-care-duty"
types = ["safeguarding_flag"]
show = ["source_agency", "person.names"]
legal_basis = "Children Act 1989 s.47"

[[rule]]
name = "school"
role = "school-pastoral"
types = ["admission"]
relationship = "pupil"
show = ["person.names"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "tier 4"
role = "tier4-case-manager"
types = ["admission", "discharge"]
show = ["person.nhs_number", "admission.tier"]
legal_basis = "NHS Act 2006 s.3B"

[[rule]]
name = "auditor"
role = "auditor"
types = ["*"]
show = ["*"]
consent = "overridden"
legal_basis = "Children Act 2004 s.11"
)";

bool is_school(const Reader& reader) { return reader.role == std::string_view("school-pastoral"); }
bool is_duty(const Reader& reader) { return reader.role == std::string_view(kDuty.role); }
bool is_auditor(const Reader& reader) { return reader.role == std::string_view(kAuditor.role); }

/// As its sender says, and more than that for flags and for Tier 4.
void set_urgency(const Draft& draft, event::EventT& event, Publication& publication) {
  using event::Urgency;
  bool at_least_urgent = false;
  auto said = draft.urgency;
  if (event.referral) event.referral->urgency = draft.urgency;
  if (event.admission) {
    event.admission->urgency = draft.urgency;
    at_least_urgent = draft.tier == 4;
  }
  if (event.safeguarding_flag) {
    event.safeguarding_flag->urgency = draft.urgency;
    event.safeguarding_flag->immediate_danger = draft.danger ? event::Answer::yes : event::Answer::no;
    at_least_urgent = true;
    if (draft.danger) said = Urgency::emergency;
  }
  if (!event.referral && !event.admission && !event.safeguarding_flag) said = Urgency::unknown;
  publication.rank = said == Urgency::emergency ? 0 : said == Urgency::urgent || at_least_urgent ? 1 : 2;
}

/// A link or merge of the draft's child and another one.
void add_statement(const Draft& draft, event::EventT& event) {
  const auto reversed = draft.taken_back ? event::Answer::yes : event::Answer::no;
  const auto other = fakes::test_nhs_number(draft.other);
  if (draft.type == EventType::identity_link) {
    event.identity_link = std::make_unique<event::IdentityLinkT>();
    event.identity_link->reversed = reversed;
    event.identity_link->identifiers.push_back(std::make_unique<event::IdentifierT>());
    event.identity_link->identifiers.back()->value = other;
  } else {
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->reversed = reversed;
    event.identity_merge->surviving_nhs_number = fakes::test_nhs_number(draft.child);
    event.identity_merge->retired_nhs_number = other;
  }
}

/// Both publishers say the same of a child, for ever: whose word on it counts is not simulated.
const char* school_of(int child) { return child % 2 == 0 ? "900101" : "900202"; }

const char* school_code(const Reader& reader) {
  return reader.agency == std::string_view("holm-school") ? "900101" : "900202";
}

}  // namespace

Wants wants_of(const ledger::Filter* filter) {
  Wants wants;
  if (filter == nullptr) return wants;
  if (filter->types() != nullptr) {
    for (const auto type : *filter->types()) wants.types.insert(static_cast<EventType>(type));
  }
  if (filter->tiers() != nullptr) wants.tiers.insert(filter->tiers()->begin(), filter->tiers()->end());
  if (filter->schools() != nullptr) {
    for (const auto* school : *filter->schools()) wants.schools.insert(school->str());
  }
  return wants;
}

ledger::FilterT filter_of(const Wants& wants) {
  ledger::FilterT filter;
  filter.types.assign(wants.types.begin(), wants.types.end());
  for (const int tier : wants.tiers) filter.tiers.push_back(static_cast<std::uint8_t>(tier));
  filter.schools.assign(wants.schools.begin(), wants.schools.end());
  return filter;
}

bool matches(const Wants& wants, const Publication& publication) {
  const int tier = is_stay(publication) ? publication.tier : 0;
  return (wants.types.empty() || wants.types.contains(publication.type)) &&
         (wants.tiers.empty() || wants.tiers.contains(tier)) &&
         (wants.schools.empty() || wants.schools.contains(publication.school));
}

const std::string& policy_text(int policy) {
  static const std::array<std::string, kPolicies> texts = {fakes::EngineHarness::county().policy_text,
                                                           kOtherPolicy};
  return texts[static_cast<std::size_t>(policy)];
}

bool may_see(const Reader& reader, const Publication& publication, int policy, bool refused) {
  if (is_auditor(reader)) return true;
  if (refused) return false;
  if (is_duty(reader)) {
    const bool referral = publication.type == EventType::referral && policy == 0;
    return is_stay(publication) || publication.type == EventType::safeguarding_flag || referral;
  }
  if (is_school(reader)) {
    return publication.school == school_code(reader) && is_stay(publication) &&
           (policy == 0 || publication.type == EventType::admission);
  }
  return is_stay(publication) && (policy == 1 || publication.tier == 4);
}

Publication as_shown(const Publication& publication, const Reader& reader) {
  Publication shown;
  shown.type = publication.type;
  const bool all = is_auditor(reader);
  const bool tier =
      all || is_duty(reader) || (!is_school(reader) && publication.type == EventType::admission);
  if (tier) shown.tier = publication.tier;
  if (all) shown.school = publication.school;
  return shown;
}

const char* leak_to(const Reader& reader, const event::Event& view, int policy) {
  if (is_auditor(reader)) return nullptr;
  const bool duty = is_duty(reader);
  const bool school = is_school(reader);
  if (const auto* person = view.person()) {
    if (person->birth_date() != nullptr) return "a birth date";
    if (person->school() != nullptr) return "a school";
    const bool names = school || (duty && policy == 1);
    if (!names && person->names() != nullptr) return "a name";
    const bool number = !school && !(duty && policy == 1);
    if (!number && person->nhs_number() != nullptr) return "an NHS number";
  }
  if (view.referral() != nullptr || view.safeguarding_flag() != nullptr || view.attendance() != nullptr)
    return "a payload";
  if (school && view.admission() != nullptr) return "a stay";
  if (!duty && view.discharge() != nullptr) return "a discharge";
  return nullptr;
}

const std::array<Interest, kInterests>& interests() {
  static const Wants any;
  static const std::array<Interest, kInterests> all = {{
      {kDesk, "council-duty-desk", kDuty, true, {any}},
      {kHolm, "holm-notices", {"holm-school", "school-pastoral"}, true, {any, {{}, {}, {"900101"}}}},
      {kTier4, "tier4-notice", kCommissioner, true, {{{}, {4}, {}}, any}},
      {kFlags,
       "council-flags",
       kDuty,
       true,
       {{{EventType::safeguarding_flag, EventType::referral}, {}, {}},
        {{EventType::safeguarding_flag}, {}, {}}}},
      {kPriory, "priory-notices", {"priory-school", "school-pastoral"}, false, {any}},
      {kNight, "night-desk", kDuty, true, {any}},
  }};
  return all;
}

const Interest* interest_named(const std::string& name) {
  for (const Interest& interest : interests()) {
    if (name == interest.name) return &interest;
  }
  return nullptr;
}

const std::array<PublisherDesk, 2>& publisher_desks() {
  static const std::array<PublisherDesk, 2> desks = {
      {{"elwick-hospital", "elwick-adt"}, {"fenbrook-camhs", "fenbrook-adt"}}};
  return desks;
}

core::HubRules rules_of_county(const Setup& setup) {
  core::HubRules rules = fakes::EngineHarness::county();
  rules.policy_text = policy_text(setup.policy);
  rules.subscriptions[kTier4].filter = filter_of(interests()[kTier4].wants[setup.tier4_wants]);
  if (setup.night) {
    core::Subscription night = rules.subscriptions[kDesk];
    night.name = interests()[kNight].name;
    night.start = setup.night_start;
    rules.subscriptions.push_back(std::move(night));
  }
  for (core::Agency& agency : rules.agencies) {
    if (!agency.may_publish.empty()) agency.may_publish.push_back(EventType::consent);
  }
  if (!setup.holm) rules.subscriptions.erase(rules.subscriptions.begin() + kHolm);
  for (core::Subscription& subscription : rules.subscriptions) {
    subscription.rate_per_minute = setup.rates[interest_named(subscription.name)->number];
    subscription.retry.attempts_max = kAttemptsConfigured;
    subscription.retry.backoff_max_ms = 8'000;
  }
  return rules;
}

Publication write_publication(const Draft& draft) {
  Publication publication;
  publication.publisher = draft.publisher;
  publication.id = draft.id;
  publication.type = draft.consent ? EventType::consent : draft.type;
  publication.child = draft.child;
  publication.tier = draft.tier;
  publication.school = school_of(draft.child);

  fakes::EventSpec spec;
  spec.type = publication.type;
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
  set_urgency(draft, event, publication);
  if (draft.consent) {
    publication.consent = draft.consent;
    event.consent = std::make_unique<event::ConsentT>();
    event.consent->decision = *draft.consent;
  }
  if (draft.other != 0) {
    add_statement(draft, event);
    publication.names = {draft.child, draft.other};
    publication.taken_back = draft.taken_back;
  }
  auto name = std::make_unique<event::NameT>();
  name->family = "Example";
  event.person->names.push_back(std::move(name));
  if (draft.absurd) {
    event.person->nhs_number = "1234567890";
    publication.fate = Fate::refused;
  }
  if (draft.broken) {
    event.type = EventType::crisis_contact;  // without its payload
    publication.fate = Fate::refused;
  }
  publication.event = fakes::pack_event(event);
  return publication;
}

event::ConsentDecision some_consent(Dice& dice) {
  using event::ConsentDecision;
  if (dice.one_in(2)) return ConsentDecision::given;
  return dice.one_in(2) ? ConsentDecision::refused : ConsentDecision::withdrawn;
}

int child_named_in(const Bytes& message) {
  flatbuffers::Verifier verifier(message.data(), message.size(), 64, 100'000);
  if (!event::VerifyEventBuffer(verifier)) return 0;
  const auto* person = event::GetEvent(message.data())->person();
  if (person == nullptr || person->nhs_number() == nullptr) return 0;
  for (int child = 1; child <= kChildren; ++child) {
    if (person->nhs_number()->str() == fakes::test_nhs_number(child)) return child;
  }
  return 0;
}

}  // namespace carehub::simulation
