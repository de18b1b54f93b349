#include "broker/core/broken_glass.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using storage::EntryKind;

namespace {

const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kGlassRole = "duty-by-night";

/// The council has a role that sees nothing until the glass is broken.
core::HubRules rules() {
  auto rules = EngineHarness::county();
  rules.subscriptions.clear();
  rules.policy_text += R"(
[[rule]]
name = "by night"
role = "duty-by-night"
types = ["admission"]
show = ["person.nhs_number"]
break_glass_minutes = 30
legal_basis = "Children Act 1989 s.46"
)";
  rules.agencies[2].roles.emplace_back(kGlassRole);
  rules.agencies[3].roles.emplace_back(kGlassRole);
  return rules;
}

wire::BreakGlassT breaking(int child, std::uint32_t minutes = 30) {
  wire::BreakGlassT frame;
  frame.number = 4;
  frame.person = "nhs:" + test_nhs_number(child);
  frame.role = kGlassRole;
  frame.minutes = minutes;
  frame.by = "A Worker";
  frame.reason = "found alone";
  return frame;
}

struct Night {
  EngineHarness hub{rules()};

  Night() {
    hub.subscribe(kCouncil, "council-night", kGlassRole);
    hub.subscribe(EngineHarness::peer(3, "holm-school"), "school-night", kGlassRole);
  }
  /// Publishes an event of the child; to how many it is delivered.
  std::size_t shown(int child) {
    EventSpec spec;
    spec.child = child;
    std::vector<wire::PublishItemT> items;
    items.push_back(item_of(spec));
    auto received = hub.publish(kHospital, std::move(items));
    std::size_t count = deliveries_of(received, "school-night").size();
    for (const auto& delivery : deliveries_of(received, "council-night")) {
      hub.ack(kCouncil, "council-night", delivery.sequence);
      ++count;
    }
    hub.pass_ms(1);
    return count;
  }
  wire::HandledT answer_to(wire::BreakGlassT frame, const core::Peer& peer = kCouncil) {
    auto received = hub.send(peer, std::move(frame));
    auto handled = frames_of<wire::HandledT>(received);
    REQUIRE(handled.size() == 1);
    CHECK(handled.front().number == 4);
    hub.pass_ms(1);
    return std::move(handled.front());
  }
};

}  // namespace

TEST_CASE("broken glass lets the child's next events through to that agency until it ends, and not after") {
  Night night;
  CHECK(night.shown(1) == 0);
  const auto begun = night.hub.clock.now();
  const auto broken = night.answer_to(breaking(1));
  REQUIRE(broken.error == wire::ErrorKind::unknown);
  CHECK(broken.until == begun.us + 30 * 60 * kSecondUs);
  CHECK(night.shown(1) == 1);
  CHECK(night.shown(2) == 0);
  night.hub.pass_ms(29 * 60 * 1000);
  CHECK(night.shown(1) == 1);
  night.hub.pass_ms(60 * 1000);
  CHECK(night.shown(1) == 0);
}

TEST_CASE("broken glass is on record with who, why and until when, and alarms with nothing on the child") {
  Night night;
  night.shown(1);
  const auto broken = night.answer_to(breaking(1, 5));
  const auto entries = night.hub.entries(EntryKind::access);
  const auto& [sequence, body] = entries.back();
  CHECK(sequence == broken.sequence);
  const auto access = entry_of<ledger::AccessT>(body);
  CHECK(access.verb == core::kBreakGlassVerb);
  CHECK(access.by.ends_with("A Worker"));
  CHECK(access.agency == "northmarch-council");
  CHECK(access.role == kGlassRole);
  CHECK(access.reason == "found alone");
  CHECK(access.until == broken.until);
  CHECK(access.person != nullptr);
  REQUIRE(night.hub.alarmed("glass_broken"));
  const auto& alarm = night.hub.alarms.back();
  for (const auto& part : {std::string("northmarch-council"), std::string(kGlassRole),
                           to_rfc3339({broken.until}), "entry " + std::to_string(broken.sequence)}) {
    CHECK(alarm.text.find(part) != std::string::npos);
  }
  CHECK(alarm.text.find(test_nhs_number(1)) == std::string::npos);
  CHECK(alarm.text.find("found alone") == std::string::npos);
}

TEST_CASE("whether the hub knows a child is not for an agency to find out by breaking the glass") {
  Night known;
  Night unknown;
  known.shown(1);
  unknown.shown(2);
  const auto one = known.answer_to(breaking(1));
  const auto other = unknown.answer_to(breaking(1));
  CHECK(one.error == other.error);
  CHECK(one.text == other.text);
  CHECK(one.sequence == other.sequence);
  CHECK(one.until == other.until);
  CHECK(unknown.hub.alarms.back().text == known.hub.alarms.back().text);
  CHECK(unknown.shown(1) == 0);
  CHECK(unknown.shown(1) == 0);
}

TEST_CASE("after an erasure nothing is left of a broken glass but that it was") {
  Night night;
  night.shown(1);
  REQUIRE(night.answer_to(breaking(1)).error == wire::ErrorKind::unknown);
  wire::EraseT frame;
  frame.person = "nhs:" + test_nhs_number(1);
  frame.by = "an operator";
  frame.reason = "asked for";
  REQUIRE(night.hub.erase(kOperator, frame).complete);
  CHECK(night.shown(1) == 0);
}

TEST_CASE("glass that is not the asker's to break stays whole, and that it was tried is on record") {
  Night night;
  night.shown(1);
  const auto refused = [&night](wire::BreakGlassT frame, wire::ErrorKind kind, const std::string& why,
                                const core::Peer& peer = kCouncil) {
    const auto told = night.answer_to(std::move(frame), peer);
    INFO(told.text);
    CHECK(told.error == kind);
    CHECK(told.text.find(why) != std::string::npos);
    CHECK(told.until == 0);
    CHECK_FALSE(night.hub.alarmed("glass_broken"));
    night.hub.pass_ms(core::RefusedQuestions::kApartUs / 1000 + 1);
    const auto access = entry_of<ledger::AccessT>(night.hub.entries(EntryKind::access).back().second);
    CHECK(access.verb == std::string(core::kRefusedVerb) + core::kBreakGlassVerb);
    CHECK(access.what.find(why) != std::string::npos);
  };
  using Kind = wire::ErrorKind;
  refused(breaking(1), Kind::denied, "connect as that agency", kOperator);
  refused(breaking(1), Kind::denied, "may not break the glass in this role",
          EngineHarness::peer(6, "march-commissioner"));
  auto frame = breaking(1);
  frame.role = "social-care-duty";
  refused(frame, Kind::denied, "break_glass_minutes");
  frame = breaking(1);
  frame.reason.clear();
  refused(frame, Kind::invalid, "say the reason");
  frame = breaking(1);
  frame.by.clear();
  refused(frame, Kind::invalid, "say who asks");
  frame = breaking(1);
  frame.reason.assign(10'000, 'r');
  refused(frame, Kind::invalid, "too long");
  refused(breaking(1, 0), Kind::invalid, "1 to 30 minutes");
  refused(breaking(1, 31), Kind::invalid, "1 to 30 minutes");
  frame = breaking(1);
  frame.person = "Marlow";
  refused(frame, Kind::invalid, "say whom");
}
