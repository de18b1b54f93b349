#include "broker/app/bench_field.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_directory.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;
using namespace carehub::app;

namespace {

BenchOutcome outcome_of(bool curve, std::uint32_t subscriptions, const BenchLoad& load) {
  const fakes::TemporaryDirectory directory;
  test::Told told;
  const auto hub = BenchHub::start({directory.path(), subscriptions, curve});
  if (!hub) FAIL(hub.error().text);
  const auto field = BenchField::open(**hub, subscriptions);
  if (!field) FAIL(field.error().text);
  BenchEvents events({50, subscriptions, 600, 1, 1});
  auto outcome = (*field)->run(events, load, told.surroundings);
  if (!outcome) FAIL(outcome.error().text);
  return *outcome;
}

}  // namespace

TEST_CASE(
    "every event of the bench is delivered to all that it concerns, over the local socket and with CURVE") {
  for (const bool curve : {false, true}) {
    const auto outcome = outcome_of(curve, 3, {300, 64, 0});
    CHECK(outcome.events == 300);
    CHECK(outcome.deliveries == 900);
    CHECK(outcome.receipt.count() == 300);
    CHECK(outcome.delivery.count() == 900);
    CHECK(outcome.entries >= 300);
  }
}

TEST_CASE("many schools share one connection and an event still has three deliveries") {
  CHECK(outcome_of(false, 40, {200, 64, 0}).deliveries == 600);
}

TEST_CASE("a bench that is asked to stop says so") {
  const fakes::TemporaryDirectory directory;
  test::Told told;
  told.stop = true;
  const auto hub = BenchHub::start({directory.path(), 3, false});
  REQUIRE(hub.has_value());
  const auto field = BenchField::open(**hub, 3);
  REQUIRE(field.has_value());
  BenchEvents events({50, 3, 600, 1, 1});
  const auto outcome = (*field)->run(events, {1'000, 64, 0}, told.surroundings);
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().text == "stopped before the end");
}
