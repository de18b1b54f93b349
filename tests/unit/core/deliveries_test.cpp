#include "broker/core/deliveries.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;
using namespace carehub::fakes;

namespace {

constexpr const char* kCouncil = "northmarch-council";
constexpr const char* kRole = "social-care-duty";

/// Subscriptions over a running hub's state, without its engine.
struct Desks {
  Desks() { disclosure.add_policy(*Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1)); }

  EngineHarness hub;
  Disclosure disclosure{hub.rules.agencies, hub.vault.index_key()};
  DayKeys day_keys{*hub.state, hub.vault};
  Counters counters;
  WorkNote note;
  DeliveryContext context{*hub.state, *hub.state, disclosure, day_keys, hub.random, hub.vault.index_key(),
                          counters,   note};
  Deliveries deliveries{context};
  Decision out;

  Delivery& add(const std::string& name, const std::string& role = kRole, ledger::FilterT filter = {},
                bool configured = false) {
    Subscription subscription;
    subscription.name = name;
    subscription.agency = kCouncil;
    subscription.role = role;
    subscription.filter = std::move(filter);
    subscription.configured = configured;
    auto label = subscription.name;
    return deliveries.add(std::move(subscription), std::move(label));
  }
  void route(event::EventType type = event::EventType::admission) {
    EventSpec spec;
    spec.type = type;
    spec.id = "event-1";
    const auto bytes = pack_event(make_event(spec));
    RecordedEvent recorded;
    recorded.sequence = ++routed;
    recorded.appended_at = hub.clock.now();
    recorded.person.bytes[0] = 1;
    recorded.event = event::GetEvent(bytes.data());
    recorded.channel = "elwick-adt";
    REQUIRE(deliveries.route(recorded));
  }
  Sequence routed = 1'000;
};

ledger::FilterT only(event::EventType type) {
  ledger::FilterT filter;
  filter.types = {type};
  return filter;
}

}  // namespace

TEST_CASE(
    "an event is offered to whom filter and rule let see it, and withheld where only the rule is missing") {
  Desks desks;
  desks.add("all");
  desks.add("discharges", kRole, only(event::EventType::discharge));
  desks.add("ruleless", "school-nurse");
  desks.route();
  CHECK(desks.counters.offered == 1);
  CHECK(desks.counters.withheld == 1);
  desks.route(event::EventType::discharge);
  CHECK(desks.counters.offered == 3);
  CHECK(desks.counters.withheld == 2);
}

TEST_CASE("a changed filter decides from the next event on") {
  Desks desks;
  auto& desk = desks.add("desk", kRole, only(event::EventType::discharge));
  desks.route();
  CHECK(desks.counters.offered == 0);
  desk.change_filter(only(event::EventType::admission));
  desks.deliveries.filter_changed();
  desks.route();
  CHECK(desks.counters.offered == 1);
}

TEST_CASE("who was added or removed counts from the next event on") {
  Desks desks;
  desks.add("one");
  desks.route();
  desks.add("two");
  desks.route();
  CHECK(desks.counters.offered == 3);
  desks.deliveries.remove("one");
  desks.route();
  CHECK(desks.counters.offered == 4);
  CHECK(desks.deliveries.find("one") == nullptr);
  CHECK(desks.deliveries.size() == 1);
}

TEST_CASE("one redaction serves all who see the same, and none is made for who is away") {
  Desks desks;
  const auto now = desks.hub.clock.now();
  desks.add("away");
  desks.route();
  CHECK(desks.disclosure.held_bytes() == 0);
  desks.deliveries.remove("away");
  std::vector<Delivery*> connected;
  for (ConnectionId connection = 1; connection <= 3; ++connection) {
    auto& desk = desks.add("desk-" + std::to_string(connection));
    desk.attach(connection, 0, 0, now);
    REQUIRE(desk.send_ready(now, desks.out));  // what waits on disk is read in
    connected.push_back(&desk);
  }
  desks.route();
  const auto of_one = desks.disclosure.held_bytes();
  CHECK(of_one > 0);
  desks.route();
  CHECK(desks.disclosure.held_bytes() == 2 * of_one);
  for (auto* desk : connected) desk->detach(now);
  CHECK(desks.disclosure.held_bytes() == 0);
}

TEST_CASE("a connection's frames mean its own subscriptions and watches, and nobody else's") {
  Desks desks;
  const auto now = desks.hub.clock.now();
  desks.add("desk").attach(1, 10, 0, now);
  Subscription watch;
  watch.name = watch_name(EngineHarness::peer(2, "holm-school"), "eyes");
  watch.durable = false;
  desks.deliveries.add(std::move(watch), "eyes").attach(2, 10, 0, now);
  CHECK(desks.deliveries.of_connection(1, "desk") == desks.deliveries.find("desk"));
  CHECK(desks.deliveries.of_connection(2, "desk") == nullptr);
  CHECK(desks.deliveries.of_connection(2, "eyes") == desks.deliveries.find("~holm-school:eyes@2"));
  CHECK(desks.deliveries.of_connection(1, "eyes") == nullptr);
  CHECK(desks.deliveries.of_connection(1, "~holm-school:eyes@2") == nullptr);
}

TEST_CASE(
    "what an agency asked for itself looks at what its role is shown, what the hub's people set at all") {
  // The rule shows whose the event is and the admission, and not the child's school or birth date.
  std::vector<std::pair<ledger::FilterT, bool>> filters(5);
  filters[0].first.schools = {"900101"};
  filters[1].first.age_max_years = 17;
  filters[2].first.channels = {"elwick-adt"};
  filters[3] = {{}, true};
  filters[3].first.agencies = {"elwick-hospital"};
  filters[4] = {{}, true};
  filters[4].first.tiers = {0, 1, 2, 3, 4};
  for (const auto& [filter, shown] : filters) {
    Desks own;
    own.add("desk", kRole, filter);
    own.route();
    CHECK(own.counters.offered == (shown ? 1 : 0));
    CHECK(own.counters.withheld == 0);
    Desks set;
    set.add("desk", kRole, filter, true);
    set.route();
    CHECK(set.counters.offered == 1);
  }
}
