#include "broker/core/domain_checks.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "tests/fakes/events.hpp"

using namespace carehub;
using namespace carehub::core;
using fakes::event_of;

namespace {

const Timestamp kNow{1772442600000000};  // 2026-03-02T09:10:00Z

std::vector<EventFault> faults_of(const Bytes& bytes) {
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  return check_event(*event, kNow);
}

using Field = std::pair<std::string_view, std::string_view>;

/// The one fault of a good referral with one more field, as "code place".
std::string fault_with(Field field) {
  const auto faults = faults_of(event_of({{"type", "referral"}, {"referral.number", "R1"}, field}));
  INFO(field.first);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].text.find(field.second) == std::string::npos);
  return faults[0].code + " " + faults[0].place;
}

bool accepted_with(Field field) {
  return faults_of(event_of({{"type", "referral"}, {"referral.number", "R1"}, field})).empty();
}

Bytes packed(const event::EventT& event) {
  flatbuffers::FlatBufferBuilder builder;
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

event::EventT good_referral() {
  event::EventT event;
  event.id = "e-1";
  event.source_agency = "holm-school";
  event.type = event::EventType::referral;
  event.referral = std::make_unique<event::ReferralT>();
  event.person = std::make_unique<event::PersonT>();
  return event;
}

}  // namespace

TEST_CASE("a bare referral without a time or a person is acceptable") {
  CHECK(faults_of(event_of({{"type", "referral"}, {"referral.number", "R1"}})).empty());
}

TEST_CASE("an identifier is checked by its own rule and named by its path") {
  CHECK(accepted_with({"person.nhs_number", "9990000018"}));
  CHECK(fault_with({"person.nhs_number", "9990000019"}) == "nhs_number_invalid person.nhs_number");
  CHECK(fault_with({"person.upn", "B000000000000"}) == "upn_invalid person.upn");
}

TEST_CASE("an organisation's code is checked by its scheme, wherever it stands") {
  auto event = good_referral();
  event.person->school = std::make_unique<event::OrganisationT>();
  event.person->school->scheme = event::OrganisationScheme::urn;
  event.person->school->code = "12345";
  event.referral->recipient_organisation = std::make_unique<event::OrganisationT>();
  event.referral->recipient_organisation->scheme = event::OrganisationScheme::gss;
  event.referral->recipient_organisation->code = "X1";
  event.referral->referrer_organisation = std::make_unique<event::OrganisationT>();
  event.referral->referrer_organisation->scheme = event::OrganisationScheme::local;
  event.referral->referrer_organisation->code = "anything goes";
  const auto faults = faults_of(packed(event));
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].code == "urn_invalid");
  CHECK(faults[0].place == "person.school.code");
  CHECK(faults[1].code == "gss_code_invalid");
  CHECK(faults[1].place == "referral.recipient_organisation.code");
}

TEST_CASE("the payload is the one that the type names, and alone") {
  auto extra = good_referral();
  extra.admission = std::make_unique<event::AdmissionT>();
  auto faults = faults_of(packed(extra));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "payload_extra");
  CHECK(faults[0].place == "admission");

  auto missing = good_referral();
  missing.referral = nullptr;
  faults = faults_of(packed(missing));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "payload_missing");
  CHECK(faults[0].place == "referral");
}

TEST_CASE("a type that this version does not know is a fault") {
  auto newer = good_referral();
  newer.type = static_cast<event::EventType>(200);
  const auto faults = faults_of(packed(newer));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "type_unknown");
}

TEST_CASE("an event needs an id and an agency") {
  auto nameless = good_referral();
  nameless.id = "";
  nameless.source_agency = std::string(limits::kNameBytesMax + 1, 'a');
  const auto faults = faults_of(packed(nameless));
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].place == "id");
  CHECK(faults[1].place == "source_agency");
}

TEST_CASE("a day that no calendar has is a fault") {
  auto event = good_referral();
  event.person->birth_date =
      std::make_unique<event::Date>(std::int16_t{2025}, std::uint8_t{2}, std::uint8_t{30});
  event.occurred_at = std::make_unique<event::Time>(std::numeric_limits<std::int64_t>::max(), std::int16_t{0},
                                                    event::TimePrecision::second);
  const auto faults = faults_of(packed(event));
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].code == "time_invalid");
  CHECK(faults[0].place == "occurred_at");
  CHECK(faults[1].code == "date_invalid");
  CHECK(faults[1].place == "person.birth_date");
}

TEST_CASE("nobody is born after the event") {
  const auto born = [](std::string_view birth_date) {
    return faults_of(event_of({{"type", "referral"},
                               {"referral.number", "R1"},
                               {"occurred_at", "2026-03-02T09:10+00:00"},
                               {"person.birth_date", birth_date}}));
  };
  CHECK(born("2026-03-02").empty());
  CHECK(born("2026").empty());
  const auto faults = born("2026-04-01");
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "born_after_event");
}

TEST_CASE("a birth date is held against the time of receipt when the event names none") {
  CHECK(fault_with({"person.birth_date", "2030-01-01"}) == "born_after_event person.birth_date");
}

TEST_CASE("a discharge before its own admission is a fault, on the same day it is not") {
  const auto stay = [](std::string_view from, std::string_view until) {
    return faults_of(event_of(
        {{"type", "discharge"}, {"discharge.admitted_at", from}, {"discharge.discharged_at", until}}));
  };
  CHECK(stay("2026-03-02T09:00+00:00", "2026-03-02").empty());
  CHECK(stay("2026-03-02T09:00+00:00", "2026-03-02T09:00+00:00").empty());
  const auto faults = stay("2026-03-02T09:00+00:00", "2026-03-01");
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "discharged_before_admitted");
}

TEST_CASE("texts are bounded, UTF-8 and without control characters") {
  auto event = good_referral();
  event.journey = std::string(limits::kFieldBytesMax + 1, 'x');
  event.purpose = "\xff\xfe";
  event.legal_basis = "a\x1b[2Jb";
  event.referral->narrative = std::string(limits::kFieldBytesMax + 1, 'x') + "\f";
  const auto faults = faults_of(packed(event));
  REQUIRE(faults.size() == 3);
  CHECK(faults[0].place == "journey");
  CHECK(faults[0].code == "text_too_long");
  CHECK(faults[1].place == "purpose");
  CHECK(faults[1].code == "text_invalid");
  CHECK(faults[2].place == "legal_basis");
}

TEST_CASE("a fault inside a list names its element") {
  auto event = good_referral();
  for (const char* family : {"Good",
                             "b\x01"
                             "ad"}) {
    auto name = std::make_unique<event::NameT>();
    name->family = family;
    event.person->names.push_back(std::move(name));
  }
  const auto faults = faults_of(packed(event));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].place == "person.names[1].family");
}

TEST_CASE("a person has a bounded number of local identifiers") {
  auto event = good_referral();
  for (int i = 0; i < 65; ++i) {
    auto local = std::make_unique<event::IdentifierT>();
    local->issuer = "RZX01";
    local->value = std::to_string(i);
    event.person->local_identifiers.push_back(std::move(local));
  }
  const auto faults = faults_of(packed(event));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].code == "list_too_long");
  CHECK(faults[0].place.starts_with("person.local_identifiers"));
}

TEST_CASE(
    "a link and a merge have a bounded number of identifiers, since each question looks at all of them") {
  const auto many = [](std::vector<std::unique_ptr<event::IdentifierT>>& list, int count) {
    for (int i = 0; i < count; ++i) {
      list.push_back(std::make_unique<event::IdentifierT>());
      list.back()->issuer = "RZX01";
      list.back()->value = std::to_string(i);
    }
  };
  for (const int count : {16, 17}) {
    auto link = good_referral();
    link.type = event::EventType::identity_link;
    link.referral.reset();
    link.identity_link = std::make_unique<event::IdentityLinkT>();
    many(link.identity_link->identifiers, count);
    auto merge = good_referral();
    merge.type = event::EventType::identity_merge;
    merge.referral.reset();
    merge.identity_merge = std::make_unique<event::IdentityMergeT>();
    many(merge.identity_merge->surviving, 1);
    many(merge.identity_merge->retired, count);
    for (const auto& faults : {faults_of(packed(link)), faults_of(packed(merge))}) {
      CHECK(faults.size() == (count == 16 ? 0 : 1));
      for (const auto& fault : faults) CHECK(fault.code == "list_too_long");
    }
  }
}

TEST_CASE("the list of faults is bounded") {
  auto event = good_referral();
  for (int i = 0; i < 1000; ++i) {
    auto name = std::make_unique<event::NameT>();
    name->family = "\x01";
    event.person->names.push_back(std::move(name));
  }
  CHECK(faults_of(packed(event)).size() == kFaultsMax);
}

TEST_CASE("a type that its agency may not publish is a fault by name") {
  using event::EventType;
  CHECK_FALSE(core::type_fault("council", {EventType::referral}, EventType::referral));
  const auto fault = core::type_fault("council", {EventType::referral}, EventType::admission);
  REQUIRE(fault);
  CHECK(fault->code == "type_not_permitted");
  CHECK(fault->place == "type");
  CHECK(fault->text.find("council may not publish admission") != std::string::npos);
}

TEST_CASE("a scope is uncertain where the birth date or the day itself is at fault") {
  CHECK(core::scope_is_certain({}));
  CHECK(core::scope_is_certain({{"wrong", "person.nhs_number", ""}}));
  CHECK_FALSE(
      core::scope_is_certain({{"wrong", "person.nhs_number", ""}, {"wrong", "person.birth_date", ""}}));
  CHECK_FALSE(core::scope_is_certain({{"wrong", "occurred_at", ""}}));
}
