#include "broker/care/report_paths.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");

/// One child's events at a hub.
struct Path {
  EngineHarness hub;

  Sequence publish(event::EventType type, const std::string& number = {}) {
    EventSpec spec;
    spec.type = type;
    auto event = make_event(spec);
    if (event.referral) event.referral->number = number;
    if (event.safeguarding_flag) event.safeguarding_flag->status = event::FlagStatus::active;
    return hub.publish_one(kHospital, item_of(event)).sequence;
  }
  care::Conversion conversion(Sequence enquiry) {
    const care::PastReader past(hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    const auto event = past.event_at(enquiry);
    REQUIRE((event && *event));
    return *care::conversion_of(past, **event);
  }
};

}  // namespace

TEST_CASE("a path begins with a referral or a raised flag, and an enquiry is an active one or a conference") {
  const auto told = [](const event::EventT& event) {
    const auto bytes = pack_event(event);
    const auto* packed = event::GetEvent(bytes.data());
    return std::pair{care::begins_path(*packed), care::is_enquiry(*packed)};
  };
  EventSpec spec;
  spec.type = event::EventType::referral;
  CHECK(told(make_event(spec)) == std::pair{true, false});
  spec.type = event::EventType::safeguarding_flag;
  auto flag = make_event(spec);
  flag.safeguarding_flag->status = event::FlagStatus::raised;
  CHECK(told(flag) == std::pair{true, false});
  flag.safeguarding_flag->status = event::FlagStatus::active;
  CHECK(told(flag) == std::pair{false, true});
  flag.safeguarding_flag->status = event::FlagStatus::closed;
  CHECK(told(flag) == std::pair{false, false});
  auto conference = make_event({});
  conference.type = event::EventType::review;
  conference.admission.reset();
  conference.review = std::make_unique<event::ReviewT>();
  conference.review->kind = event::ReviewKind::child_protection_conference;
  CHECK(told(conference) == std::pair{false, true});
  conference.review->status = event::ReviewStatus::cancelled;
  CHECK(told(conference) == std::pair{false, false});
  CHECK(told(make_event({})) == std::pair{false, false});
}

TEST_CASE("an enquiry belongs to the newest referral within ninety days, across what lies between") {
  Path path;
  path.publish(event::EventType::referral);
  for (int other = 0; other < 5; ++other) path.publish(event::EventType::attendance);
  const auto found = path.conversion(path.publish(event::EventType::safeguarding_flag));
  CHECK(found.found == care::Conversion::Found::referral);
  CHECK(found.agency == "elwick-hospital");
  CHECK(found.looked == 6);
  CHECK(path.conversion(path.publish(event::EventType::safeguarding_flag)).found ==
        care::Conversion::Found::counted_before);
  path.hub.clock.set({path.hub.clock.now().us + 91 * 86'400 * kSecondUs});
  CHECK(path.conversion(path.publish(event::EventType::safeguarding_flag)).found ==
        care::Conversion::Found::nothing);
}

TEST_CASE("the way back along a child's events is bounded") {
  Path path;
  path.publish(event::EventType::referral);
  for (std::size_t other = 0; other < care::kPathEntriesMax; ++other)
    path.publish(event::EventType::attendance);
  const auto found = path.conversion(path.publish(event::EventType::safeguarding_flag));
  CHECK(found.found == care::Conversion::Found::nothing);
  CHECK(found.looked == care::kPathEntriesMax);
}
