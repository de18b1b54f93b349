#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::NakKind;

namespace {

constexpr int kApart = 3;  // numbers so far apart are surely different children

/// A desk that takes so many a minute at most, as hub.toml says.
Desk desk_with_rate(std::uint32_t per_minute) {
  auto rules = Desk::rules(Desk::kDayMs);
  rules.subscriptions[0].rate_per_minute = per_minute;
  return Desk(std::move(rules));
}

void subscribe(Desk& desk, std::uint32_t rate_per_minute) {
  wire::SubscribeT subscribe;
  subscribe.name = kDesk;
  subscribe.role = kRole;
  subscribe.credit = 256;
  subscribe.rate_per_minute = rate_per_minute;
  desk.take(desk.hub.send(kCouncil, std::move(subscribe)));
}

/// The steps that the engine asks for within this time, answering all that comes.
int steps_in(Desk& desk, std::int64_t ms) {
  const Timestamp until{desk.hub.clock.now().us + ms * kMillisecondUs};
  int steps = 0;
  for (; desk.hub.due <= until; ++steps) {
    if (desk.hub.due > desk.hub.clock.now()) desk.hub.clock.set(desk.hub.due);
    desk.take(desk.hub.step());
  }
  desk.hub.clock.set(until);
  return steps;
}

}  // namespace

TEST_CASE("a receiver gets no more a minute than its rate, and everything in the end") {
  auto desk = desk_with_rate(60);
  for (int child = 1; child <= 150; ++child) desk.publish(kApart * child);
  desk.subscribe();
  desk.pass_ms(60'000);
  CHECK(desk.got.size() == 60);
  desk.pass_ms(60'000);
  CHECK(desk.got.size() == 120);
  desk.pass_ms(30'000);
  CHECK(desk.got.size() == 150);
  CHECK(desk.dead_letters() == 0);
  CHECK_FALSE(desk.hub.alarmed("receiver_unavailable"));
}

TEST_CASE("what waits for the rate is due at its moment, without a step in between") {
  auto desk = desk_with_rate(60);
  for (int child = 1; child <= 10; ++child) desk.publish(kApart * child);
  desk.subscribe();
  CHECK(steps_in(desk, 5'000) <= 6);
  CHECK(desk.got.size() == 5);
}

TEST_CASE("a receiver asks for its rate when it subscribes, and hub.toml's is never exceeded") {
  for (const auto& [configured, asked, in_a_minute] : std::vector<std::array<std::uint32_t, 3>>{
           {0, 30, 30}, {30, 0, 30}, {60, 30, 30}, {30, 60, 30}, {0, 0, 100}}) {
    auto desk = desk_with_rate(configured);
    for (int child = 1; child <= 100; ++child) desk.publish(kApart * child);
    subscribe(desk, asked);
    desk.pass_ms(60'000);
    CHECK(desk.got.size() == in_a_minute);
  }
}

TEST_CASE("who comes back again and again gets no more for it") {
  auto desk = desk_with_rate(60);
  for (int child = 1; child <= 100; ++child) desk.publish(kApart * child);
  for (int second = 0; second < 120; ++second) {
    desk.subscribe();
    desk.pass_ms(500);
  }
  CHECK(desk.got.size() == 60);
}

TEST_CASE("a hub that starts again gives no more for it") {
  auto desk = desk_with_rate(60);
  for (int child = 1; child <= 100; ++child) desk.publish(kApart * child);
  for (int start = 0; start < 40; ++start) {
    desk.hub.restart();
    desk.subscribe();
    desk.pass_ms(1'500);
  }
  CHECK(desk.got.size() <= 61);
  CHECK(desk.got.size() >= 40);
}

TEST_CASE("the urgent goes first among what waits for the rate") {
  auto desk = desk_with_rate(60);
  desk.subscribe();
  for (int child = 1; child <= 5; ++child) {
    EventSpec routine;
    routine.child = kApart * child;
    routine.tier = 0;
    desk.hub.publish_one(kHospital, item_of(routine));
  }
  const auto flag = desk.publish(6 * kApart, event::EventType::safeguarding_flag);
  desk.pass_ms(1'000);
  CHECK(desk.sequences() == Sequences{flag});
}

TEST_CASE("another subscriber is not held back by one's rate") {
  auto rules = EngineHarness::county();
  rules.subscriptions[0].rate_per_minute = 1;
  EngineHarness hub(std::move(rules));
  hub.subscribe(kCouncil, kDesk, kRole);
  hub.subscribe(EngineHarness::peer(3, "march-commissioner"), "tier4-notice", "tier4-case-manager");
  std::vector<wire::PublishItemT> items;
  for (int child = 1; child <= 20; ++child) {
    EventSpec spec;
    spec.child = kApart * child;
    items.push_back(item_of(spec));
  }
  auto received = hub.publish(kHospital, std::move(items));
  CHECK(deliveries_of(received, kDesk).empty());
  CHECK(deliveries_of(received, "tier4-notice").size() == 20);
}

TEST_CASE("what waits long for the rate is told as that, and not as a reader that does not take it") {
  auto desk = desk_with_rate(1);
  desk.subscribe();
  for (int child = 1; child <= 30; ++child) desk.publish(kApart * child);
  for (int minute = 0; minute < 20; ++minute) {
    const auto before = desk.got.size();
    desk.pass_ms(60'000);
    for (auto at = before; at < desk.got.size(); ++at) desk.ack(desk.got[at].sequence);
  }
  REQUIRE(desk.hub.alarmed("deliveries_waiting"));
  for (const auto& alarm : desk.hub.alarms) {
    if (alarm.code == "deliveries_waiting") CHECK(alarm.text.ends_with("its rate_per_minute lets through"));
  }
}

TEST_CASE("a watch keeps to the rate that it asked for") {
  EngineHarness hub;
  wire::SubscribeT subscribe;
  subscribe.name = "desk";
  subscribe.role = kRole;
  subscribe.credit = 256;
  subscribe.durable = false;
  subscribe.rate_per_minute = 60;
  hub.send(kCouncil, std::move(subscribe));
  for (int child = 1; child <= 10; ++child) {
    EventSpec spec;
    spec.child = kApart * child;
    hub.publish_one(kHospital, item_of(spec));
  }
  auto received = hub.pass_ms(3'000);
  CHECK(deliveries_of(received, "desk").size() == 3);
}
