#include "broker/care/past_reader.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");

care::PastReader reader_of(const EngineHarness& hub) {
  return {hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies};
}

}  // namespace

TEST_CASE("a child is found by a number and by any entry about it, and nobody by anything else") {
  EngineHarness hub;
  EventSpec spec;
  spec.child = 1;
  const auto sequence = hub.publish_one(kHospital, item_of(spec)).sequence;
  const auto reader = reader_of(hub);
  const auto by_number = reader.person_of("nhs:" + test_nhs_number(1));
  REQUIRE(by_number);
  const auto by_entry = reader.person_of("sequence:" + std::to_string(sequence));
  REQUIRE(by_entry);
  CHECK(*by_entry == *by_number);
  const auto kind_of = [&reader](const std::string& text) { return reader.person_of(text).error().kind; };
  CHECK(kind_of("nhs:" + test_nhs_number(5)) == ErrorKind::not_found);
  CHECK(kind_of("sequence:" + std::to_string(sequence + 1'000)) == ErrorKind::not_found);
  CHECK(kind_of("sequence:0") == ErrorKind::invalid);
  CHECK(kind_of("sequence:1x") == ErrorKind::invalid);
  CHECK(kind_of("nhs:1234567890") == ErrorKind::invalid);
  CHECK(kind_of("name:Ashdown") == ErrorKind::invalid);
}

TEST_CASE("an agency knows of its own subscriptions alone, an operator of all") {
  EngineHarness hub;
  const auto reader = reader_of(hub);
  const auto all = reader.visible(EngineHarness::operator_peer(9));
  const auto own = reader.visible(EngineHarness::peer(2, "northmarch-council"));
  REQUIRE(all);
  REQUIRE(own);
  CHECK_FALSE(own->empty());
  CHECK(own->size() < all->size());
  for (const auto& one : *own) CHECK(one.agency == "northmarch-council");
  CHECK(reader.agency_of("northmarch-council").id == "northmarch-council");
  CHECK(reader.agency_of("nobody").id.empty());
}

TEST_CASE("what protects a child in one record is known in a linked one, and was not before the link") {
  EngineHarness hub;
  const auto publish = [&hub](int child, bool protected_child, bool links) {
    EventSpec spec;
    spec.child = child;
    spec.type = links ? event::EventType::identity_merge : event::EventType::admission;
    auto event = make_event(spec);
    if (protected_child) event.restrictions = {event::Restriction::adopted};
    if (links) {
      event.identity_merge = std::make_unique<event::IdentityMergeT>();
      event.identity_merge->surviving_nhs_number = test_nhs_number(1);
      event.identity_merge->retired_nhs_number = test_nhs_number(2);
    }
    return hub.publish_one(kHospital, item_of(event)).sequence;
  };
  const auto before = publish(1, false, false);
  publish(2, true, false);
  const auto said = publish(1, false, true);
  const auto reader = reader_of(hub);
  const auto marks = [&](Sequence sequence, Sequence through) {
    const auto event = reader.event_at(sequence);
    REQUIRE(event);
    REQUIRE(*event);
    const auto known = reader.known_child(**event, hub.clock.now(), through);
    REQUIRE(known);
    return core::marks_of(*(*event)->event, *known);
  };
  const auto adopted = core::bit_of(event::Restriction::adopted);
  CHECK(marks(before, core::kAllKnown) == adopted);
  CHECK(marks(before, before) == 0);
  CHECK(marks(before, said) == adopted);
  CHECK(marks(said, 0) == adopted);
}
