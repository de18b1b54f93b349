#include "broker/core/route.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/events.hpp"

using namespace carehub;
using namespace carehub::core;
using event::EventType;
using event::Urgency;
using fakes::event_of;

namespace {

const event::Event& view(const Bytes& bytes) {
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  return *event;
}

Bytes admission_of(std::string_view birth_date, std::string_view occurred_at) {
  return event_of({{"type", "admission"},
                   {"admission.visit_number", "V1"},
                   {"person.birth_date", birth_date},
                   {"occurred_at", occurred_at}});
}

std::optional<int> age_of(std::string_view birth_date, std::string_view occurred_at) {
  const auto bytes = admission_of(birth_date, occurred_at);
  return age_years(view(bytes));
}

Bytes full_admission() {
  return event_of({{"type", "admission"},
                   {"occurred_at", "2026-03-02T09:10+00:00"},
                   {"person.birth_date", "2012-05-03"},
                   {"person.school.code", "900101"},
                   {"person.school.scheme", "urn"},
                   {"person.gp_practice.code", "ZX101"},
                   {"person.gp_practice.scheme", "ods"},
                   {"person.home_authority.code", "E10000099"},
                   {"person.home_authority.scheme", "gss"},
                   {"admission.tier", "4"},
                   {"admission.location.unit_code", "ROWAN"}});
}

}  // namespace

TEST_CASE("a birthday counts from its day, not from the day before") {
  CHECK(age_of("2012-05-03", "2026-05-02T23:59+01:00") == 13);
  CHECK(age_of("2012-05-03", "2026-05-03T00:00+01:00") == 14);
}

TEST_CASE("a child born on 29 February has its birthday on 1 March in other years") {
  CHECK(age_of("2012-02-29", "2026-02-28") == 13);
  CHECK(age_of("2012-02-29", "2026-03-01") == 14);
}

TEST_CASE("an age is known from a month of birth except in that month") {
  CHECK(age_of("2012-05", "2026-04-30") == 13);
  CHECK(age_of("2012-05", "2026-06-01") == 14);
  CHECK_FALSE(age_of("2012-05", "2026-05-15"));
  CHECK_FALSE(age_of("2012", "2026-05-15"));
}

TEST_CASE("an event without occurred_at happened when it was received") {
  const auto bytes = event_of({{"type", "admission"},
                               {"admission.visit_number", "V1"},
                               {"person.birth_date", "2012-05-03"},
                               {"received_at", "1772442600000000"}});
  CHECK(age_years(view(bytes)) == 13);
  const auto timeless = event_of({{"type", "admission"}, {"person.birth_date", "2012-05-03"}});
  CHECK_FALSE(age_years(view(timeless)));
}

TEST_CASE("the tier is the one that the payload states") {
  const auto bytes = full_admission();
  CHECK(tier_of(view(bytes)) == 4);
  const auto cancel = event_of({{"type", "correction"}, {"correction.tier", "4"}});
  CHECK(tier_of(view(cancel)) == 4);
  const auto none = event_of({{"type", "death"}, {"death.at", "2026-03-01"}});
  CHECK(tier_of(view(none)) == 0);
}

TEST_CASE("safeguarding flags and Tier 4 admissions are urgent at least") {
  const auto tier4 = full_admission();
  CHECK(urgency_of(view(tier4)) == Urgency::urgent);
  const auto flag = event_of({{"type", "safeguarding_flag"}, {"safeguarding_flag.urgency", "routine"}});
  CHECK(urgency_of(view(flag)) == Urgency::urgent);
  const auto danger =
      event_of({{"type", "safeguarding_flag"}, {"safeguarding_flag.immediate_danger", "yes"}});
  CHECK(urgency_of(view(danger)) == Urgency::emergency);
  const auto routine = event_of({{"type", "referral"}, {"referral.urgency", "routine"}});
  CHECK(urgency_of(view(routine)) == Urgency::routine);
}

TEST_CASE("an empty filter matches everything") {
  const auto bytes = full_admission();
  CHECK(matches({}, view(bytes)));
  const auto bare = event_of({{"type", "referral"}});
  CHECK(matches({}, view(bare)));
}

TEST_CASE("a condition on the channel is one on how the hub got the event, not on what the event says") {
  const auto bytes = event_of({{"type", "referral"}, {"source_channel", "elwick-adt"}});
  ledger::FilterT filter;
  filter.channels = {"elwick-adt", "holm-referrals"};
  CHECK(matches(filter, view(bytes), "holm-referrals"));
  CHECK_FALSE(matches(filter, view(bytes), "fenbrook-adt"));
  CHECK_FALSE(matches(filter, view(bytes)));
}

TEST_CASE("each condition of a filter can keep an event out") {
  const auto bytes = full_admission();
  const auto& event = view(bytes);
  const auto with = [&event](auto change) {
    ledger::FilterT filter;
    change(filter);
    return matches(filter, event);
  };
  CHECK(with([](auto& f) { f.types = {EventType::discharge, EventType::admission}; }));
  CHECK_FALSE(with([](auto& f) { f.types = {EventType::discharge}; }));
  CHECK(with([](auto& f) { f.agencies = {"elwick-hospital"}; }));
  CHECK_FALSE(with([](auto& f) { f.agencies = {"elwick"}; }));
  CHECK(with([](auto& f) { f.tiers = {4}; }));
  CHECK_FALSE(with([](auto& f) { f.tiers = {3}; }));
  CHECK_FALSE(with([](auto& f) { f.thrive = {event::ThriveGroup::getting_help}; }));
  CHECK(with([](auto& f) { f.home_authorities = {"E10000099"}; }));
  CHECK_FALSE(with([](auto& f) { f.home_authorities = {"E10000098"}; }));
  CHECK(with([](auto& f) { f.gp_practices = {"ZX101"}; }));
  CHECK_FALSE(with([](auto& f) { f.gp_practices = {"ZX102"}; }));
  CHECK(with([](auto& f) { f.schools = {"900202", "900101"}; }));
  CHECK_FALSE(with([](auto& f) { f.schools = {"900202"}; }));
  CHECK_FALSE(with([](auto& f) { f.flag_reasons = {"836881000000105"}; }));
  CHECK(with([](auto& f) { f.age_min_years = 13, f.age_max_years = 13; }));
  CHECK_FALSE(with([](auto& f) { f.age_min_years = 14; }));
  CHECK_FALSE(with([](auto& f) { f.age_max_years = 12; }));
}

TEST_CASE("a condition on what the event does not say fails") {
  const auto bytes =
      event_of({{"type", "safeguarding_flag"}, {"safeguarding_flag.reason.code", "401206008"}});
  const auto& event = view(bytes);
  ledger::FilterT ages;
  ages.age_max_years = 18;
  CHECK_FALSE(matches(ages, event));
  ledger::FilterT schools;
  schools.schools = {""};
  CHECK_FALSE(matches(schools, event));
  ledger::FilterT reasons;
  reasons.flag_reasons = {"401206008"};
  CHECK(matches(reasons, event));
}

TEST_CASE("a sender's local code is nobody's official code") {
  const auto bytes =
      event_of({{"type", "referral"}, {"person.school.code", "900101"}, {"person.school.scheme", "local"}});
  ledger::FilterT filter;
  filter.schools = {"900101"};
  CHECK_FALSE(matches(filter, view(bytes)));
}

TEST_CASE("an adult is out of scope and the reason names no one") {
  const Scope scope{.age_min_years = std::nullopt, .age_max_years = 18, .units = {}};
  const auto adult = admission_of("1980-01-01", "2026-03-02");
  CHECK(out_of_scope(scope, view(adult)) == "age over 18");
  const auto nineteen_today = admission_of("2007-03-02", "2026-03-02");
  CHECK(out_of_scope(scope, view(nineteen_today)) == "age over 18");
  const auto nineteen_tomorrow = admission_of("2007-03-03", "2026-03-02");
  CHECK_FALSE(out_of_scope(scope, view(nineteen_tomorrow)));
}

TEST_CASE("a child too young for the channel is out of scope") {
  const Scope scope{.age_min_years = 11, .age_max_years = 18, .units = {}};
  const auto small = admission_of("2020-01-01", "2026-03-02");
  CHECK(out_of_scope(scope, view(small)) == "age under 11");
}

TEST_CASE("nobody is out of scope for a missing or uncertain birth date") {
  const Scope scope{.age_min_years = std::nullopt, .age_max_years = 18, .units = {}};
  const auto unknown = event_of({{"type", "admission"}, {"occurred_at", "2026-03-02"}});
  CHECK_FALSE(out_of_scope(scope, view(unknown)));
  const auto perhaps_eighteen = admission_of("2007", "2026-03-02");
  CHECK_FALSE(out_of_scope(scope, view(perhaps_eighteen)));
  const auto surely_adult = admission_of("2006", "2026-03-02");
  CHECK(out_of_scope(scope, view(surely_adult)) == "age over 18");
}

TEST_CASE("a stay in a unit that is not listed is out of scope, a stay nowhere is not") {
  const Scope scope{.age_min_years = std::nullopt, .age_max_years = std::nullopt, .units = {"ROWAN"}};
  const auto rowan = full_admission();
  CHECK_FALSE(out_of_scope(scope, view(rowan)));
  const auto elsewhere = event_of({{"type", "admission"}, {"admission.location.ward_code", "OAK"}});
  CHECK(out_of_scope(scope, view(elsewhere)) == "unit not listed");
  const auto referral = event_of({{"type", "referral"}});
  CHECK_FALSE(out_of_scope(scope, view(referral)));
  const auto moved_in = event_of(
      {{"type", "movement"}, {"movement.from.ward_code", "OAK"}, {"movement.to.ward_code", "ROWAN"}});
  CHECK_FALSE(out_of_scope(scope, view(moved_in)));
}
