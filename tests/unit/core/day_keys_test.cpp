#include "broker/core/day_keys.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;
using fakes::EngineHarness;

namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
constexpr Timestamp kNoon{20'000 * kDayUs + kDayUs / 2};

/// A vault whose file cannot grow until there is room again.
class FullVault final : public storage::Vault {
 public:
  explicit FullVault(storage::Vault& vault) : vault_(vault) {}
  Result<KeyId> mint() override {
    if (full) return fail(ErrorKind::unavailable, "no room");
    return vault_.mint();
  }
  Result<storage::SecretKey> key(const KeyId& id) const override { return vault_.key(id); }
  const storage::SecretKey& index_key() const override { return vault_.index_key(); }
  Result<void> destroy(const std::vector<KeyId>& ids) override { return vault_.destroy(ids); }
  std::vector<std::string> copies_with(const std::vector<KeyId>& ids) const override {
    return vault_.copies_with(ids);
  }
  bool full = true;

 private:
  storage::Vault& vault_;
};

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
