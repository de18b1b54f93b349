#include "broker/core/agreement_alarm.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using fakes::EngineHarness;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

core::HubRules rules_until(const std::string& until, bool used = true) {
  auto rules = EngineHarness::county();
  if (used) {
    const std::string rule = "relationship = \"pupil\"\n";
    rules.policy_text.insert(rules.policy_text.find(rule), "agreement = \"Schools\"\n");
  }
  rules.policy_text +=
      "[[agreement]]\nname = \"Schools\"\nparties = [\"elwick-hospital\", \"holm-school\"]\n"
      "signatories = [\"A Head\"]\nsigned = 2025-01-01\nfrom = 2025-01-01\npurposes = [\"absence\"]\nuntil "
      "= " +
      until + "\n";
  return rules;
}

std::size_t told(const EngineHarness& hub, const std::string& code) {
  return static_cast<std::size_t>(std::ranges::count(hub.alarms, code, &core::Alarm::code));
}

}  // namespace

TEST_CASE("an agreement that lapses within sixty days is told of once a day, and so is one that has lapsed") {
  EngineHarness hub(rules_until("2026-03-03"));  // the clock stands at 2026-03-01T09:00Z
  hub.step();
  hub.step();
  CHECK(told(hub, "agreement_ends_soon") == 1);
  hub.pass_ms(kDayMs);
  CHECK(told(hub, "agreement_ends_soon") == 2);
  hub.pass_ms(kDayMs);
  CHECK(told(hub, "agreement_ends_soon") == 3);
  CHECK(told(hub, "agreement_lapsed") == 0);
  hub.pass_ms(kDayMs);
  CHECK(told(hub, "agreement_ends_soon") == 3);
  CHECK(told(hub, "agreement_lapsed") == 1);
}

TEST_CASE("an agreement that lasts, or that no rule needs, is not told of") {
  EngineHarness lasting(rules_until("2026-08-01"));
  lasting.step();
  CHECK(told(lasting, "agreement_ends_soon") == 0);
  EngineHarness unused(rules_until("2026-03-03", false));
  unused.step();
  CHECK(told(unused, "agreement_ends_soon") == 0);
}
