#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using fakes::deliveries_of;
using fakes::EngineHarness;
using fakes::entry_of;
using fakes::EventSpec;
using fakes::item_of;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr std::int64_t kDayMs = 86'400'000;

/// The duty desk is shown what the hospital sends under an agreement that ends on 2026-03-01, the day on
/// which the clock stands.
core::HubRules agreed() {
  auto rules = EngineHarness::county();
  const std::string role = "role = \"social-care-duty\"\n";
  rules.policy_text.insert(rules.policy_text.find(role), "agreement = \"Desk\"\n");
  rules.policy_text +=
      "[[agreement]]\nname = \"Desk\"\nparties = [\"elwick-hospital\", \"northmarch-council\"]\n"
      "signatories = [\"A Guardian\"]\nsigned = 2025-01-01\nfrom = 2025-01-01\nuntil = 2026-03-01\n"
      "purposes = [\"care\"]\n";
  return rules;
}

wire::PublishItemT about(int child) {
  EventSpec spec;
  spec.child = child;
  return item_of(spec);
}

wire::HandledT send_again(EngineHarness& hub, Sequence sequence) {
  wire::HandleDeadLetterT frame;
  frame.number = 1;
  frame.subscription = kDesk;
  frame.sequence = sequence;
  frame.action = wire::DeadLetterAction::send_again;
  frame.by = "A Person";
  frame.reason = "mended";
  auto received = hub.send(kOperator, std::move(frame));
  auto handled = fakes::frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  return std::move(handled[0]);
}

}  // namespace

TEST_CASE("an agreement that has lapsed withholds what comes from then on, on record with its name") {
  EngineHarness hub(agreed());
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  auto received = hub.publish(kHospital, {about(1)});
  CHECK(deliveries_of(received, kDesk).size() == 1);
  hub.pass_ms(kDayMs);
  received = hub.publish(kHospital, {about(2)});
  CHECK(deliveries_of(received, kDesk).empty());
  std::vector<std::string> why;
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::withheld)) {
    const auto& entry = entry_of<ledger::WithheldT>(body);
    if (entry.subscription == kDesk) why.push_back(entry.rule);
  }
  CHECK(why == std::vector<std::string>{"agreement Desk has lapsed"});
}

TEST_CASE("what was offered while an agreement was in force is shown at every attempt, after a restart too") {
  EngineHarness hub(agreed());
  hub.publish_one(kHospital, about(1));
  hub.pass_ms(kDayMs);
  hub.restart();
  auto received = hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto got = deliveries_of(received, kDesk);
  REQUIRE(got.size() == 1);
  hub.nak(kCouncil, kDesk, got[0].sequence, ledger::NakKind::failed);
  received = hub.pass_ms(600'000);
  const auto again = deliveries_of(received, kDesk);
  REQUIRE_FALSE(again.empty());
  for (const auto& attempt : again) CHECK(attempt.view == got[0].view);
}

TEST_CASE("a dead letter is not offered again under an agreement that has lapsed") {
  EngineHarness hub(agreed());
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto first = hub.publish_one(kHospital, about(1)).sequence;
  const auto second = hub.publish_one(kHospital, about(2)).sequence;
  hub.nak(kCouncil, kDesk, first, ledger::NakKind::rejected);
  hub.nak(kCouncil, kDesk, second, ledger::NakKind::rejected);
  REQUIRE(hub.entries(storage::EntryKind::dead_letter).size() == 2);
  CHECK(send_again(hub, first).error == wire::ErrorKind::unknown);
  hub.pass_ms(kDayMs);
  const auto refused = send_again(hub, second);
  CHECK(refused.error == wire::ErrorKind::not_found);
  CHECK(refused.text.find("nothing to show") != std::string::npos);
}
