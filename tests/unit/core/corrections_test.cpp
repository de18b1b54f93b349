#include "broker/core/corrections.hpp"

#include <catch2/catch.hpp>

#include "broker/core/route.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using event::EventType;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCamhs = EngineHarness::peer(2, "fenbrook-camhs");
const core::Peer kCommissioner = EngineHarness::peer(3, "march-commissioner");
constexpr const char* kNotices = "tier4-notice";

event::EventT admission(const std::string& visit, int tier = 4) {
  EventSpec spec;
  spec.tier = tier;
  auto event = make_event(spec);
  event.admission->visit_number = visit;
  return event;
}

/// An A11 as most feeds send it: the child's number and the visit, and nothing else of the admission.
event::EventT bare_cancel(const std::string& visit) {
  EventSpec spec;
  spec.type = EventType::correction;
  spec.tier = 0;
  auto event = make_event(spec);
  event.correction->visit_number = visit;
  event.person->school.reset();
  event.person->birth_date.reset();
  return event;
}

struct County {
  EngineHarness hub;
  Sequence publish(const event::EventT& event) { return hub.publish_one(kHospital, item_of(event)).sequence; }
  std::vector<Sequence> noticed() {
    auto received = hub.subscribe(kCommissioner, kNotices, "tier4-case-manager");
    std::vector<Sequence> sequences;
    while (true) {
      const auto deliveries = deliveries_of(received, kNotices);
      if (deliveries.empty()) return sequences;
      received.clear();
      for (const auto& delivery : deliveries) {
        sequences.push_back(delivery.sequence);
        for (auto& each : hub.ack(kCommissioner, kNotices, delivery.sequence))
          received.push_back(std::move(each));
      }
    }
  }
  event::EventT written(std::size_t at) {
    const auto entries = hub.entries(storage::EntryKind::event);
    const auto& entry = entry_of<ledger::EventEntryT>(entries.at(at).second);
    event::EventT event;
    event::GetEvent(entry.event.data())->UnPackTo(&event);
    return event;
  }
};

}  // namespace

TEST_CASE("a cancel that leaves out the tier goes to whoever was told of the admission, behind it") {
  County county;
  const auto admitted = county.publish(admission("V1"));
  const auto cancelled = county.publish(bare_cancel("V1"));
  CHECK(county.noticed() == std::vector<Sequence>{admitted, cancelled});
  const auto written = county.written(1);
  CHECK(written.correction->tier == 4);
  CHECK(written.person->school->code == "900101");
  CHECK(written.person->birth_date->year() == 2012);
}

TEST_CASE("who was not told of the admission is not told of its cancel") {
  County county;
  county.publish(admission("V1", 2));
  county.publish(bare_cancel("V1"));
  CHECK(county.noticed().empty());
  CHECK(county.written(1).correction->tier == 2);
}

TEST_CASE("a cancel is of the visit that it names, not of the newest one") {
  County county;
  county.publish(admission("V1"));
  county.publish(admission("V2", 2));
  county.publish(bare_cancel("V1"));
  CHECK(county.written(2).correction->tier == 4);
}

TEST_CASE("a cancel whose admission is not known, or another agency's, stays as it came") {
  County county;
  county.publish(bare_cancel("V1"));
  CHECK(county.written(0).correction->tier == 0);
  county.publish(admission("V2"));
  county.publish(bare_cancel("V9"));
  CHECK(county.written(2).correction->tier == 0);
  auto of_another = bare_cancel("V2");
  of_another.source_agency = "fenbrook-camhs";
  REQUIRE(county.hub.publish_one(kCamhs, item_of(of_another, "fenbrook-adt")).sequence != 0);
  CHECK(county.written(3).correction->tier == 0);
}

TEST_CASE("a cancel goes to the school and by the tier of the admission, whatever it says itself by now") {
  County county;
  county.publish(admission("V1"));
  auto cancel = bare_cancel("V1");
  cancel.correction->tier = 3;
  cancel.person->school = std::make_unique<event::OrganisationT>();
  cancel.person->school->code = "900202";
  county.publish(cancel);
  CHECK(county.written(1).correction->tier == 4);
  CHECK(county.written(1).person->school->code == "900101");
}

TEST_CASE("who was not named by the admission is not told of its cancel") {
  County county;
  auto admitted = admission("V1");
  admitted.person->school.reset();
  county.publish(admitted);
  auto cancel = bare_cancel("V1");
  cancel.person->school = std::make_unique<event::OrganisationT>();
  cancel.person->school->code = "900202";
  county.publish(cancel);
  CHECK(county.written(1).person->school == nullptr);
}

TEST_CASE("of two cancels that name no visit the second is of the admission before") {
  County county;
  county.publish(admission("V1"));
  county.publish(admission("V2", 2));
  county.publish(bare_cancel(""));
  CHECK(county.written(2).correction->tier == 2);
  county.publish(bare_cancel(""));
  CHECK(county.written(3).correction->tier == 4);
  county.publish(bare_cancel(""));
  CHECK(county.written(4).correction->tier == 0);
}

TEST_CASE("the same cancel that comes twice is one, however it was completed") {
  County county;
  county.publish(admission("V1"));
  const auto cancel = bare_cancel("V1");
  const auto first = county.publish(cancel);
  CHECK(county.publish(cancel) == first);
  CHECK(county.hub.entries(storage::EntryKind::event).size() == 2);
}

TEST_CASE("who asks for admissions gets their cancels, and who asks for discharges theirs") {
  EventSpec spec;
  spec.type = EventType::correction;
  const auto cancelled_admission = pack_event(make_event(spec));
  spec.corrects = EventType::discharge;
  const auto cancelled_discharge = pack_event(make_event(spec));
  ledger::FilterT admissions;
  admissions.types = {EventType::admission};
  CHECK(core::matches(admissions, *event::GetEvent(cancelled_admission.data())));
  CHECK_FALSE(core::matches(admissions, *event::GetEvent(cancelled_discharge.data())));
  ledger::FilterT referrals;
  referrals.types = {EventType::referral};
  CHECK_FALSE(core::matches(referrals, *event::GetEvent(cancelled_admission.data())));

  auto rules = EngineHarness::county();
  rules.subscriptions[2].filter.types = {EventType::admission};
  County county{EngineHarness(rules)};
  const auto admitted = county.publish(admission("V1"));
  const auto cancelled = county.publish(bare_cancel("V1"));
  CHECK(county.noticed() == std::vector<Sequence>{admitted, cancelled});
}

TEST_CASE("a cancel bears the marks of what it cancels, once, whether it says them itself or not") {
  using event::Restriction;
  County county;
  auto protected_stay = admission("V1");
  protected_stay.restrictions = {Restriction::sensitive_address, Restriction::adopted};
  county.publish(protected_stay);
  county.publish(bare_cancel("V1"));
  CHECK(county.written(1).restrictions == protected_stay.restrictions);

  county.publish(admission("V2"));
  auto marked = bare_cancel("V2");
  marked.restrictions = {Restriction::adopted};
  county.publish(marked);
  CHECK(county.written(3).restrictions == marked.restrictions);
}
