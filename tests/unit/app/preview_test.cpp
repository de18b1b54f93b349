#include "broker/app/preview.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "tests/fakes/events.hpp"

using namespace carehub;
using Verdict = app::DisclosurePreview::Verdict;

namespace {

constexpr Timestamp kNow{1'770'000'000'000'000};

/// A ward that may publish admissions of under-18s, and three subscribers: a desk, a school, and one without
/// a rule.
server::HubConfig county() {
  server::HubConfig config;
  auto document = ConfigDocument::parse(R"([[rule]]
name = "desk sees where"
role = "desk"
types = ["admission"]
relationship = "resident"
show = ["person.names", "admission.location"]
legal_basis = "Children Act 2004 s.10"
)",
                                        "policy.toml");
  config.policy = core::Policy::read(document, 1);
  REQUIRE(document.faults().empty());
  core::Agency ward;
  ward.id = "elwick-hospital";
  ward.may_publish = {event::EventType::admission};
  core::Agency council;
  council.id = "council";
  council.codes = {"E10000099"};
  council.roles = {"desk", "nosy"};
  config.rules.agencies = {ward, council};
  core::InboundChannel channel{"adt", "elwick-hospital", {}};
  channel.scope.age_max_years = 17;
  config.rules.inbound = {channel};
  for (const char* role : {"desk", "nosy"}) {
    core::Subscription subscription;
    subscription.name = std::string("out-") + role;
    subscription.agency = "council";
    subscription.role = role;
    config.rules.subscriptions.push_back(subscription);
  }
  core::Subscription tier4 = config.rules.subscriptions[0];
  tier4.name = "tier4";
  tier4.filter.tiers = {4};
  config.rules.subscriptions.push_back(tier4);
  return config;
}

app::EventPreview preview(const Bytes& bytes) {
  const event::Event* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  auto result = app::preview_event(county(), "adt", *event, kNow);
  REQUIRE(result);
  return *result;
}

Bytes admission(std::string_view birth_date) {
  return fakes::event_of({{"type", "admission"},
                          {"occurred_at", "2026-01-02T10:00+00:00"},
                          {"person.birth_date", birth_date},
                          {"person.names[0].family", "Marlow"},
                          {"person.home_authority.code", "E10000099"},
                          {"admission.location.ward", "SUNFLOWER"},
                          {"admission.admitted_at", "2026-01-02T10:00+00:00"}});
}

}  // namespace

TEST_CASE("each subscription is told what it would get, and why") {
  const auto result = preview(admission("2012-05-03"));
  CHECK(result.faults.empty());
  CHECK_FALSE(result.out_of_scope);
  REQUIRE(result.disclosures.size() == 3);
  CHECK(result.disclosures[0].verdict == Verdict::shown);
  CHECK(result.disclosures[0].rule == "desk sees where");
  CHECK(result.disclosures[0].legal_basis == "Children Act 2004 s.10");
  CHECK(result.disclosures[0].fields_withheld > 0);
  const event::Event* view = verified_event(result.disclosures[0].view);
  REQUIRE(view != nullptr);
  CHECK(view->admission()->location()->ward()->str() == "SUNFLOWER");
  CHECK(view->person()->birth_date() == nullptr);
  CHECK(result.disclosures[1].verdict == Verdict::withheld);
  CHECK(result.disclosures[2].verdict == Verdict::not_wanted);
}

TEST_CASE("an adult is out of scope and nobody is told anything") {
  const auto result = preview(admission("2000-05-03"));
  CHECK(result.out_of_scope);
  CHECK(result.disclosures.empty());
}

TEST_CASE("the day of the eighteenth birthday is out of a scope that ends at 18") {
  CHECK_FALSE(preview(admission("2008-01-03")).out_of_scope);
  CHECK(preview(admission("2008-01-02")).out_of_scope);
}

TEST_CASE("a type that the agency may not publish is refused") {
  const auto result = preview(fakes::event_of({{"type", "safeguarding_flag"},
                                               {"occurred_at", "2026-01-02T10:00+00:00"},
                                               {"safeguarding_flag.status", "raised"}}));
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].code == "type_not_permitted");
  CHECK(result.disclosures.empty());
}

TEST_CASE("what the hub would refuse is never foretold as out of scope") {
  const auto adults_flag = preview(fakes::event_of({{"type", "safeguarding_flag"},
                                                    {"occurred_at", "2026-01-02T10:00+00:00"},
                                                    {"person.birth_date", "1980-05-03"},
                                                    {"safeguarding_flag.status", "raised"}}));
  CHECK_FALSE(adults_flag.out_of_scope);
  REQUIRE(adults_flag.faults.size() == 1);
  CHECK(adults_flag.faults[0].code == "type_not_permitted");
  const auto unborn = preview(admission("2030-05-03"));
  CHECK_FALSE(unborn.out_of_scope);
  CHECK_FALSE(unborn.faults.empty());
}

TEST_CASE("an event that the domain checks refuse goes to nobody") {
  const auto result = preview(admission("2030-05-03"));
  CHECK_FALSE(result.faults.empty());
  CHECK(result.disclosures.empty());
}

TEST_CASE("a channel that is not inbound cannot be tried") {
  const Bytes bytes = admission("2012-05-03");
  const auto result = app::preview_event(county(), "out-desk", *verified_event(bytes), kNow);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::not_found);
}
