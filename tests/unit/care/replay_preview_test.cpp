#include "broker/care/replay_preview.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using event::EventType;

namespace {

/// What the county's subscriptions would be shown of the events counted.
struct Counted {
  Counted() { past.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1)); }
  /// Another child each time: what was said of one decides about all of theirs.
  care::PastEvent publish(EventType type, const std::string& school_urn = "900101") {
    EventSpec spec;
    spec.type = type;
    spec.school_urn = school_urn;
    spec.child = ++children;
    const auto outcome = hub.publish_one(EngineHarness::peer(1, spec.agency), item_of(spec));
    REQUIRE(outcome.sequence != 0);
    REQUIRE(hub.state->flush());
    auto event = past.event_at(outcome.sequence);
    REQUIRE(event);
    return std::move(**event);
  }
  void count(EventType type, const std::string& school_urn = "900101") {
    REQUIRE(preview.count(publish(type, school_urn)));
  }
  const wire::ReplayCountT* of(const std::string& subscription, EventType type) {
    counts = preview.counts();
    for (const auto& count : counts) {
      if (count->subscription == subscription && count->type == type) return count.get();
    }
    return nullptr;
  }

  EngineHarness hub;
  int children = 0;
  care::PastReader past{hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies};
  care::ReplayPreview preview{past, hub.rules.subscriptions, {hub.clock.now().us + 3600 * kSecondUs}};
  std::vector<std::unique_ptr<wire::ReplayCountT>> counts;
};

}  // namespace

TEST_CASE("each subscription is counted by its own filter and role, by type of event") {
  Counted counted;
  counted.count(EventType::admission);
  counted.count(EventType::admission, "900202");
  counted.count(EventType::movement);
  const auto* desk = counted.of("council-duty-desk", EventType::admission);
  REQUIRE(desk != nullptr);
  CHECK(desk->matched == 2);
  CHECK(desk->withheld == 0);
  CHECK(counted.of("holm-notices", EventType::admission)->matched == 1);
  const auto* moved = counted.of("council-duty-desk", EventType::movement);
  REQUIRE(moved != nullptr);
  CHECK(moved->matched == 0);
  CHECK(moved->withheld == 1);
}

TEST_CASE("what was mended for one subscription is counted for that one alone") {
  Counted counted;
  auto past = counted.publish(EventType::admission);
  past.mended_for = "holm-notices";
  REQUIRE(counted.preview.count(past));
  CHECK(counted.of("council-duty-desk", EventType::admission) == nullptr);
  CHECK(counted.of("holm-notices", EventType::admission)->matched == 1);
}

TEST_CASE("what one asker is shown stands under no subscription's name") {
  Counted counted;
  counted.preview.count(EventType::discharge, true);
  counted.preview.count(EventType::discharge, false);
  const auto* asker = counted.of("", EventType::discharge);
  REQUIRE(asker != nullptr);
  CHECK(asker->matched == 1);
  CHECK(asker->withheld == 1);
}

TEST_CASE("one part looks at fewer entries the more subscriptions there are, and never at none") {
  const Counted counted;
  const auto few = counted.preview.entries_max();
  const care::ReplayPreview many(counted.past, std::vector<core::Subscription>(100'000), {});
  CHECK(many.entries_max() < few);
  CHECK(many.entries_max() > 0);
}

TEST_CASE("what an agency asked for itself is counted by what its role is shown") {
  Counted counted;
  core::Subscription own;
  own.name = "own";
  own.agency = "northmarch-council";
  own.role = "social-care-duty";
  own.filter.schools = {"900101"};  // which the duty desk is not shown
  auto set = own;
  set.name = "set";
  set.configured = true;
  counted.preview = care::ReplayPreview(counted.past, {own, set}, counted.hub.clock.now());
  counted.count(EventType::admission);
  CHECK(counted.of("own", EventType::admission) == nullptr);
  REQUIRE(counted.of("set", EventType::admission) != nullptr);
  CHECK(counted.of("set", EventType::admission)->matched == 1);
}
