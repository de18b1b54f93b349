#include "broker/core/day_keys.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/full_vault.hpp"

using namespace carehub;
using namespace carehub::core;
using fakes::EngineHarness;
using fakes::FullVault;

namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
constexpr Timestamp kNoon{20'000 * kDayUs + kDayUs / 2};

}  // namespace

TEST_CASE("a day is UTC's, also before 1970") {
  CHECK(utc_day({0}) == 0);
  CHECK(utc_day({kDayUs - 1}) == 0);
  CHECK(utc_day({kDayUs}) == 1);
  CHECK(utc_day({-1}) == -1);
  CHECK(utc_day({-kDayUs}) == -1);
  CHECK(utc_day({-kDayUs - 1}) == -2);
}

TEST_CASE("a purpose has one key a day, and no two purposes share one") {
  EngineHarness hub;
  DayKeys keys(*hub.state, hub.vault);
  const auto key = *keys.key("refusal/a/b", kNoon);
  CHECK(*keys.key("refusal/a/b", {kNoon.us + kDayUs / 2 - 1}) == key);
  CHECK_FALSE(*keys.key("refusal/a/b", {kNoon.us + kDayUs / 2}) == key);
  CHECK_FALSE(*keys.key("refusal/a/c", kNoon) == key);
  CHECK(hub.vault.key(key));
}

TEST_CASE("a key that sealed something is used again after a restart, even of a day that is over") {
  EngineHarness hub;
  const auto today = hub.clock.now();
  const auto used = hub.ledger.read(1, 1, 1)->front().header.key_id;
  DayKeys keys(*hub.state, hub.vault);
  CHECK(*keys.key(kHubPurpose, today) == used);
  CHECK_FALSE(*keys.key(kHubPurpose, {today.us + kDayUs}) == used);
  CHECK(*keys.key(kHubPurpose, today) == used);
}

TEST_CASE("a vault without room is told, and tried again the next time") {
  EngineHarness hub;
  FullVault vault(hub.vault);
  DayKeys keys(*hub.state, vault);
  CHECK(keys.key("refusal/a/b", kNoon).error().kind == ErrorKind::unavailable);
  vault.full = false;
  CHECK(keys.key("refusal/a/b", kNoon));
}
