#include "broker/core/known_child.hpp"

#include <catch2/catch.hpp>

#include "broker/core/policy.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;
using event::EventType;

namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
constexpr std::int64_t kBegin = 1'777'593'600'000'000;  // 2026-05-01T00:00Z

Timestamp day(int days) { return {kBegin + days * kDayUs}; }

std::unique_ptr<event::OrganisationT> organisation(
    const std::string& code, event::OrganisationScheme scheme = event::OrganisationScheme::urn) {
  auto made = std::make_unique<event::OrganisationT>();
  made->code = code;
  made->scheme = scheme;
  return made;
}

/// An event of one child, which says nothing of where the child belongs.
event::EventT event_on(int days, EventType type = EventType::attendance,
                       const std::string& agency = "elwick-hospital") {
  fakes::EventSpec spec;
  spec.type = type;
  spec.agency = agency;
  auto event = fakes::make_event(spec);
  event.occurred_at = std::make_unique<event::Time>(day(days).us, 0, event::TimePrecision::second);
  event.person->school.reset();
  event.person->home_authority.reset();
  event.person->gp_practice.reset();
  return event;
}

/// What a ledger would know: each event is an entry of its own.
struct Told {
  std::vector<ChildFact> facts;
  Sequence entry = 0;

  Sequence tell(const event::EventT& event, int received_on) {
    const auto bytes = fakes::pack_event(event);
    ++entry;
    for (auto& fact : facts_said(*verified_event(bytes), entry, day(received_on), facts))
      add_fact(facts, std::move(fact));
    return entry;
  }
  KnownChild known(Sequence event) const { return known_through(facts, event, 0); }
};

Agency agency_of(const std::string& id, std::vector<std::string> codes = {}) {
  Agency agency;
  agency.id = id;
  agency.codes = std::move(codes);
  return agency;
}

bool related(Relationship relationship, const Agency& agency, const KnownChild& known, int at) {
  const auto bytes = fakes::pack_event(event_on(at));
  return is_related(relationship, agency, *verified_event(bytes), known, day(at));
}

event::EventT at_school(int days, const std::string& code, const std::string& said_by) {
  auto event = event_on(days, EventType::attendance, said_by);
  event.person->school = organisation(code);
  return event;
}

event::EventT consent_on(int days, event::ConsentDecision decision, const std::string& scope = "",
                         bool by_young_person = false) {
  auto event = event_on(days, EventType::consent);
  event.consent = std::make_unique<event::ConsentT>();
  event.consent->decision = decision;
  if (!scope.empty()) {
    event.consent->scope = std::make_unique<event::CodingT>();
    event.consent->scope->code = scope;
  }
  if (by_young_person) event.consent->by_young_person = event::Answer::yes;
  return event;
}

const Agency kOld = agency_of("old-school", {"100001"});
const Agency kNew = agency_of("new-school", {"100002"});

}  // namespace

TEST_CASE("a pupil who changes school is the new school's from that day, and the old school's no more") {
  Told told;
  told.tell(at_school(0, "100001", "council"), 0);
  CHECK(related(Relationship::pupil, kOld, told.known(9), 1));
  CHECK_FALSE(related(Relationship::pupil, kNew, told.known(9), 1));
  told.tell(at_school(30, "100002", "council"), 5);  // said ahead of the move
  CHECK(related(Relationship::pupil, kNew, told.known(9), 31));
  CHECK_FALSE(related(Relationship::pupil, kOld, told.known(9), 31));
}

TEST_CASE("a source that goes on saying what it said before takes nobody back to the old school") {
  Told told;
  told.tell(at_school(0, "100001", "hospital"), 0);
  told.tell(at_school(30, "100002", "council"), 30);
  const auto known = told.facts.size();
  told.tell(at_school(40, "100001", "hospital"), 40);
  CHECK(told.facts.size() == known);
  CHECK(related(Relationship::pupil, kNew, told.known(9), 41));
  CHECK_FALSE(related(Relationship::pupil, kOld, told.known(9), 41));
}

TEST_CASE("a word that comes late counts from the day of which it speaks") {
  Told told;
  told.tell(at_school(30, "100002", "council"), 30);
  told.tell(at_school(0, "100001", "hospital"), 40);
  CHECK(related(Relationship::pupil, kNew, told.known(9), 41));
}

TEST_CASE("a sender whose clock is ahead is heard from now on, not from tomorrow") {
  Told told;
  told.tell(at_school(1, "100001", "council"), 0);
  CHECK(related(Relationship::pupil, kOld, told.known(9), 0));
}

TEST_CASE("a sender's own code makes nobody anybody's") {
  Told told;
  auto event = event_on(0);
  event.person->school = organisation("100001", event::OrganisationScheme::local);
  told.tell(event, 0);
  CHECK(told.facts.empty());
}

TEST_CASE("a key worker's agency sees the child from the first day to the last") {
  Told told;
  auto event = event_on(0, EventType::status_change);
  event.status_change = std::make_unique<event::StatusChangeT>();
  event.status_change->kind = event::StatusKind::key_worker;
  event.status_change->authority = organisation("E10000015", event::OrganisationScheme::gss);
  event.status_change->from_at = std::make_unique<event::Time>(day(2).us, 0, event::TimePrecision::day);
  event.status_change->until_at = std::make_unique<event::Time>(day(9).us, 0, event::TimePrecision::day);
  told.tell(event, 0);
  const auto council = agency_of("council", {"E10000015"});
  CHECK_FALSE(related(Relationship::key_worker, council, told.known(9), 1));
  CHECK(related(Relationship::key_worker, council, told.known(9), 3));
  CHECK_FALSE(related(Relationship::key_worker, council, told.known(9), 9));
  CHECK_FALSE(related(Relationship::key_worker, agency_of("x", {"E10000016"}), told.known(9), 3));
}

TEST_CASE("a referral relates its sender and its recipient until it is closed, the close itself included") {
  Told told;
  auto referral = event_on(0, EventType::referral, "school");
  referral.referral = std::make_unique<event::ReferralT>();
  referral.referral->number = "R1";
  referral.referral->recipient_organisation = organisation("RX1", event::OrganisationScheme::ods);
  const auto first = told.tell(referral, 0);
  const auto school = agency_of("school");
  const auto trust = agency_of("trust", {"RX1"});
  CHECK(related(Relationship::referral, school, told.known(first), 0));
  CHECK(related(Relationship::referral, trust, told.known(first), 0));
  CHECK_FALSE(related(Relationship::referral, agency_of("other", {"RX2"}), told.known(first), 0));

  auto close = event_on(5, EventType::referral_update, "trust");
  close.referral_update = std::make_unique<event::ReferralUpdateT>();
  close.referral_update->number = "R1";
  close.referral_update->status = event::ReferralStatus::accepted;
  told.tell(close, 5);
  CHECK(related(Relationship::referral, school, told.known(9), 6));
  close.referral_update->status = event::ReferralStatus::closed;
  const auto last = told.tell(close, 7);
  CHECK(related(Relationship::referral, school, told.known(last), 7));
  CHECK_FALSE(related(Relationship::referral, school, told.known(last + 1), 8));
  CHECK_FALSE(related(Relationship::referral, trust, told.known(last + 1), 8));
}

TEST_CASE("a referral that is rejected with an onward route becomes that organisation's") {
  Told told;
  auto referral = event_on(0, EventType::referral, "school");
  referral.referral = std::make_unique<event::ReferralT>();
  referral.referral->number = "R1";
  referral.referral->recipient_organisation = organisation("RX1", event::OrganisationScheme::ods);
  told.tell(referral, 0);
  auto update = event_on(1, EventType::referral_update, "trust");
  update.referral_update = std::make_unique<event::ReferralUpdateT>();
  update.referral_update->number = "R1";
  update.referral_update->status = event::ReferralStatus::rejected;
  update.referral_update->onward_organisation = organisation("RX2", event::OrganisationScheme::ods);
  const auto last = told.tell(update, 1);
  CHECK_FALSE(related(Relationship::referral, agency_of("trust", {"RX1"}), told.known(last + 1), 2));
  CHECK(related(Relationship::referral, agency_of("school"), told.known(last + 1), 2));
  CHECK(related(Relationship::referral, agency_of("onward", {"RX2"}), told.known(last + 1), 2));
}

TEST_CASE(
    "the newest word on consent counts, by scope, and one refusal outweighs consent to something else") {
  using event::ConsentDecision;
  Told told;
  const auto agency = agency_of("a", {"C"});
  const auto says = [&](const std::vector<std::string>& scopes, int at) {
    return consent_of(scopes, false, agency, told.known(told.entry), day(at));
  };
  CHECK(says({}, 0) == ConsentState::none);
  told.tell(consent_on(0, ConsentDecision::given, "care"), 0);
  CHECK(says({}, 1) == ConsentState::given);
  CHECK(says({"care"}, 1) == ConsentState::given);
  CHECK(says({"school"}, 1) == ConsentState::none);
  told.tell(consent_on(2, ConsentDecision::refused, "school"), 2);
  CHECK(says({"care"}, 3) == ConsentState::given);
  CHECK(says({"school"}, 3) == ConsentState::refused);
  CHECK(says({}, 3) == ConsentState::refused);
  told.tell(consent_on(4, ConsentDecision::withdrawn), 4);
  CHECK(says({"care"}, 5) == ConsentState::refused);
  told.tell(consent_on(6, ConsentDecision::given), 6);
  CHECK(says({}, 7) == ConsentState::given);
}

TEST_CASE("consent ends on its day, and one that names organisations is for these") {
  Told told;
  auto given = consent_on(0, event::ConsentDecision::given);
  given.consent->until_at = std::make_unique<event::Time>(day(10).us, 0, event::TimePrecision::day);
  given.consent->organisations.push_back(organisation("C", event::OrganisationScheme::ods));
  told.tell(given, 0);
  const auto says = [&](const std::string& code, int at) {
    return consent_of({}, false, agency_of("a", {code}), told.known(told.entry), day(at));
  };
  CHECK(says("C", 9) == ConsentState::given);
  CHECK(says("C", 10) == ConsentState::none);
  CHECK(says("D", 9) == ConsentState::none);
  // A refusal to one whom nobody can tell by a code is a refusal to all.
  auto refused = consent_on(1, event::ConsentDecision::refused);
  refused.consent->organisations.push_back(organisation("C", event::OrganisationScheme::ods));
  refused.consent->organisations.push_back(organisation("theirs", event::OrganisationScheme::local));
  told.tell(refused, 1);
  CHECK(says("D", 9) == ConsentState::refused);
}

TEST_CASE("once the young person decides, nobody else's word counts beside theirs") {
  Told told;
  told.tell(consent_on(0, event::ConsentDecision::refused, "", true), 0);
  told.tell(consent_on(1, event::ConsentDecision::given), 1);
  const auto says = [&](bool decides) {
    return consent_of({}, decides, agency_of("a"), told.known(told.entry), day(2));
  };
  CHECK(says(true) == ConsentState::refused);
  CHECK(says(false) == ConsentState::given);
}

TEST_CASE("a mark of one event holds for all of the child's, until it is lifted") {
  Told told;
  auto marked = event_on(0);
  marked.restrictions = {event::Restriction::adopted};
  told.tell(marked, 0);
  told.tell(marked, 1);
  CHECK(told.facts.size() == 1);
  const auto bytes = fakes::pack_event(event_on(2));
  const auto& plain = *verified_event(bytes);
  CHECK(marks_of(plain, told.known(9)) == bit_of(event::Restriction::adopted));
  ChildFact lifted;
  lifted.kind = ChildFactKind::marks_lifted;
  lifted.entry = 8;
  lifted.at = day(3);
  lifted.marks = bit_of(event::Restriction::adopted);
  add_fact(told.facts, lifted);
  CHECK(marks_of(plain, told.known(9)) == 0);
  const auto own = fakes::pack_event(marked);
  CHECK(marks_of(*verified_event(own), told.known(9)) == bit_of(event::Restriction::adopted));
}

TEST_CASE("a glass is broken for one agency in one role, and mends by itself") {
  ChildFact glass;
  glass.kind = ChildFactKind::broken_glass;
  glass.agency = "trust";
  glass.names = {"doctor"};
  glass.from_us = day(1).us;
  glass.until_us = day(2).us;
  const KnownChild known{9, {glass}};
  CHECK(has_broken_glass("doctor", agency_of("trust"), known, day(1)));
  CHECK_FALSE(has_broken_glass("doctor", agency_of("trust"), known, day(2)));
  CHECK_FALSE(has_broken_glass("doctor", agency_of("trust"), known, day(0)));
  CHECK_FALSE(has_broken_glass("nurse", agency_of("trust"), known, day(1)));
  CHECK_FALSE(has_broken_glass("doctor", agency_of("other"), known, day(1)));
}

TEST_CASE("what was known then stays the same, however much is said later") {
  Told told;
  const auto admitted = told.tell(at_school(0, "100001", "council"), 0);
  const auto then = told.known(admitted);
  const auto refused = told.tell(consent_on(1, event::ConsentDecision::refused), 1);
  told.tell(consent_on(1, event::ConsentDecision::given), 1);
  CHECK(told.known(admitted).facts == then.facts);
  CHECK(known_through(told.facts, admitted, refused).facts.size() == 2);
  CHECK(known_through(told.facts, admitted, kAllKnown).facts.size() == 3);
  CHECK(known_through(told.facts, refused, admitted).facts.size() == 2);
}

TEST_CASE("an event that the ledger's fold did not take speaks for itself") {
  const auto bytes = fakes::pack_event(at_school(0, "100001", "council"));
  CHECK(with_own({}, *verified_event(bytes), day(0)).facts.size() == 1);
  CHECK(with_own({}, *verified_event(bytes), day(0)).facts.front().codes.front() == "100001");
}

TEST_CASE("the newest word on each other record counts, and a row keeps it when it is full of links") {
  std::vector<ChildFact> facts;
  const auto other = [](std::uint8_t number) {
    PersonKey key;
    key.bytes[0] = number;
    return key;
  };
  Sequence entry = 0;
  const auto say = [&](std::uint8_t number, ChildFactKind kind) {
    ChildFact fact;
    fact.kind = kind;
    fact.entry = ++entry;
    const auto key = other(number);
    fact.names = {std::string(text_of(key.bytes))};
    add_fact(facts, fact);
  };
  const auto linked = [&](std::uint8_t number) {
    const auto* word = link_known(facts, other(number));
    return word != nullptr && word->kind == ChildFactKind::linked;
  };
  CHECK(link_known(facts, other(1)) == nullptr);
  say(1, ChildFactKind::linked);
  say(2, ChildFactKind::linked);
  say(2, ChildFactKind::unlinked);
  CHECK(linked(1));
  CHECK_FALSE(linked(2));
  ChildFact mark;
  mark.kind = ChildFactKind::marks;
  mark.marks = 1;
  add_fact(facts, mark);
  for (std::size_t i = 0; i < kChildFactsMax; ++i) {
    say(3, ChildFactKind::linked);
    say(3, ChildFactKind::unlinked);
    say(4, ChildFactKind::linked);
  }
  CHECK(facts.size() == kChildFactsMax);
  CHECK(linked(1));
  CHECK_FALSE(linked(2));
  CHECK_FALSE(linked(3));
  CHECK(linked(4));
  CHECK(marks_known(facts) == 1);
  // Many records: what was taken back goes first, then what is oldest; a mark never.
  for (std::size_t i = 0; i < 2 * kChildFactsMax; ++i) {
    PersonKey key;
    key.bytes[1] = static_cast<std::uint8_t>(i);
    key.bytes[2] = static_cast<std::uint8_t>(i >> 8U);
    key.bytes[3] = 1;
    ChildFact fact;
    fact.kind = i % 2 == 0 ? ChildFactKind::linked : ChildFactKind::unlinked;
    fact.entry = ++entry;
    fact.names = {std::string(text_of(key.bytes))};
    add_fact(facts, fact);
    CHECK(facts.size() <= kChildFactsMax);
  }
  CHECK(marks_known(facts) == 1);
  CHECK(std::ranges::count(facts, ChildFactKind::linked, &ChildFact::kind) > 400);
}

TEST_CASE("no child's row grows without bound, and no mark and no newest consent is lost by it") {
  std::vector<ChildFact> facts;
  const auto add = [&](ChildFactKind kind, RestrictionSet marks = 0) {
    ChildFact fact;
    fact.kind = kind;
    fact.entry = facts.empty() ? 1 : facts.back().entry + 1;
    fact.marks = marks;
    add_fact(facts, fact);
  };
  add(ChildFactKind::marks, 1);
  add(ChildFactKind::consent);
  for (std::size_t i = 0; i < kChildFactsMax; ++i) add(ChildFactKind::school);
  CHECK(facts.size() == kChildFactsMax);
  CHECK(facts[0].kind == ChildFactKind::marks);
  CHECK(facts[1].kind == ChildFactKind::consent);
  for (std::size_t i = 0; i < 2 * kChildFactsMax; ++i) add(ChildFactKind::consent);
  CHECK(facts.size() == kChildFactsMax);
  CHECK(marks_known(facts) == 1);
  const auto newest = facts.back().entry;
  for (std::size_t i = 0; i < kChildFactsMax; ++i) {
    add(ChildFactKind::marks, 2);
    add(ChildFactKind::marks_lifted, 2);
  }
  CHECK(facts.size() == kChildFactsMax);
  CHECK(marks_known(facts) == 1);
  CHECK(facts.back().entry > newest);
}

namespace {

constexpr const char* kRules = R"(young_person_from = 16

[[rule]]
name = "named"
role = "desk"
types = ["attendance"]
show = ["person.names"]
legal_basis = "b"

[[rule]]
name = "anonymous"
role = "desk"
types = ["attendance"]
consent = "overridden"
show = ["occurred_at"]
legal_basis = "b"

[[rule]]
name = "with consent"
role = "research"
types = ["attendance"]
consent = "given"
consent_scopes = ["research"]
show = ["occurred_at"]
legal_basis = "b"

[[rule]]
name = "in a crisis"
role = "doctor"
types = ["attendance"]
break_glass_minutes = 60
show = ["person"]
legal_basis = "b"

[[rule]]
name = "at home here"
role = "panel"
types = ["attendance"]
home_authorities = ["E10000015"]
show = ["occurred_at"]
legal_basis = "b"
)";

std::string decided(const Policy& policy, const std::string& role, const KnownChild& known,
                    const Agency& agency = agency_of("a")) {
  const auto bytes = fakes::pack_event(event_on(1));
  const auto* rule = policy.rule_for(role, agency, *verified_event(bytes), known, day(2));
  return rule != nullptr ? rule->name
                         : policy.why_withheld(role, agency, *verified_event(bytes), known, day(2));
}

}  // namespace

TEST_CASE("without permission the rule for a case without a name decides, and with it the one that names") {
  std::vector<ConfigFault> faults;
  const auto policy = Policy::parse(std::string("# file: a\n") + kRules, "policy.toml", 1, faults);
  REQUIRE(faults.empty());
  Told told;
  CHECK(decided(policy, "desk", told.known(9)) == "named");
  CHECK(decided(policy, "research", told.known(9)) == kNoConsent);
  told.tell(consent_on(0, event::ConsentDecision::refused), 0);
  CHECK(decided(policy, "desk", told.known(9)) == "anonymous");
  CHECK(decided(policy, "research", told.known(9)) == kConsentRefused);
  told.tell(consent_on(1, event::ConsentDecision::given), 1);
  CHECK(decided(policy, "desk", told.known(9)) == "named");
  CHECK(decided(policy, "research", told.known(9)) == "with consent");
}

TEST_CASE("a rule for a broken glass, and one for children of an authority, fit these alone") {
  std::vector<ConfigFault> faults;
  const auto policy = Policy::parse(kRules, "policy.toml", 1, faults);
  REQUIRE(faults.empty());
  CHECK(policy.break_glass_minutes("doctor") == 60);
  CHECK(policy.break_glass_minutes("desk") == 0);
  Told told;
  CHECK(decided(policy, "doctor", told.known(9)) == kNoRule);
  CHECK(decided(policy, "panel", told.known(9)) == kNoRule);
  auto home = event_on(0);
  home.person->home_authority = organisation("E10000015", event::OrganisationScheme::gss);
  told.tell(home, 0);
  CHECK(decided(policy, "panel", told.known(9)) == "at home here");
  ChildFact glass;
  glass.kind = ChildFactKind::broken_glass;
  glass.agency = "a";
  glass.names = {"doctor"};
  glass.from_us = day(1).us;
  glass.until_us = day(3).us;
  told.facts.push_back(glass);
  CHECK(decided(policy, "doctor", {9, told.facts}) == "in a crisis");
}
