#include "broker/core/repeats.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");

std::vector<std::string> told(const EngineHarness& hub) {
  std::vector<std::string> details;
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::operator_action)) {
    const auto& action = entry_of<ledger::OperatorActionT>(body);
    if (action.action == core::kRepeatsAction) details.push_back(action.by + ": " + action.detail);
  }
  return details;
}

}  // namespace

TEST_CASE("messages that came again are on record together, once a minute at most") {
  EngineHarness hub;
  EventSpec spec;
  spec.id = "one";
  const auto item = [&] { return item_of(spec); };
  hub.publish_one(kHospital, item());
  CHECK(told(hub).empty());
  CHECK(hub.publish_one(kHospital, item()).outcome == wire::Outcome::duplicate);
  const std::vector<std::string> first = {"hub: elwick-hospital elwick-adt 1"};
  CHECK(told(hub) == first);
  for (int again = 0; again < 4; ++again) hub.publish_one(kHospital, item());
  hub.pass_ms(59'000);
  CHECK(told(hub) == first);
  hub.pass_ms(2'000);
  REQUIRE(told(hub).size() == 2);
  CHECK(told(hub)[1] == "hub: elwick-hospital elwick-adt 4");
  hub.pass_ms(200'000);
  CHECK(told(hub).size() == 2);
}

TEST_CASE("a refused message that comes again counts, too") {
  EngineHarness hub;
  auto wrong = make_event({});
  wrong.type = event::EventType::crisis_contact;  // without its payload
  for (int again = 0; again < 2; ++again)
    CHECK(hub.publish_one(kHospital, item_of(wrong)).outcome == wire::Outcome::refused);
  CHECK(told(hub).size() == 1);
}

TEST_CASE("what the entry says of repeats is read back, and what says nothing is left out") {
  const std::vector<core::Repeats> repeats = {{"a-hospital", "adt", 12}, {"a-council", "", 3}};
  const auto text = core::repeats_text(repeats);
  CHECK(text == "a-hospital adt 12; a-council - 3");
  const auto back = core::parse_repeats(text);
  REQUIRE(back.size() == 2);
  CHECK(back[0].agency == "a-hospital");
  CHECK(back[0].channel == "adt");
  CHECK(back[0].count == 12);
  CHECK(back[1].channel.empty());
  CHECK(core::parse_repeats("").empty());
  CHECK(core::parse_repeats("; ;a b;a b x;a b 1x; ").empty());
}
