#include "broker/core/policy_changes.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using storage::EntryKind;

namespace {

const core::Peer kOperator = EngineHarness::operator_peer(9);

/// The county's policy with one text in another's place.
std::string policy_with(const std::string& what, const std::string& by) {
  auto text = EngineHarness::county().policy_text;
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

/// The duty desk is not told any more who the child is.
std::string narrower() {
  return policy_with(R"("person.nhs_number", "admission", "discharge", "correction"])", R"("admission"])");
}

wire::ChangePolicyT change_to(const EngineHarness& hub, std::string text) {
  wire::ChangePolicyT frame;
  frame.number = 4;
  frame.text = std::move(text);
  frame.file = "next.toml";
  frame.expected_version = hub.entries(EntryKind::policy_changed).back().first;
  frame.by = "o.perator";
  frame.reason = "agreement 12 was signed";
  return frame;
}

wire::HandledT answer_to(EngineHarness& hub, wire::ChangePolicyT frame, const core::Peer& peer = kOperator) {
  auto received = hub.send(peer, std::move(frame));
  auto handled = frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  CHECK(handled.front().number == 4);
  return std::move(handled.front());
}

bool shows_number(const wire::DeliveryT& delivery) {
  return !field_values(*verified_event(delivery.view), *FieldPath::parse("person.nhs_number")).empty();
}

ledger::PolicyChangedT last_policy(const EngineHarness& hub) {
  return entry_of<ledger::PolicyChangedT>(hub.entries(EntryKind::policy_changed).back().second);
}

}  // namespace

TEST_CASE(
    "a policy that is applied decides from the next event on, and the old one what was offered before") {
  Desk desk;
  const auto before = desk.publish(1);
  const auto text = narrower();
  const auto applied = answer_to(desk.hub, change_to(desk.hub, text));
  REQUIRE(applied.error == wire::ErrorKind::unknown);
  const auto after = desk.publish(2);
  desk.subscribe();
  REQUIRE(desk.sequences() == Sequences{before, after});
  CHECK(shows_number(desk.got[0]));
  CHECK_FALSE(shows_number(desk.got[1]));
  CHECK(applied.sequence == desk.hub.entries(EntryKind::policy_changed).back().first);
  CHECK(last_policy(desk.hub).text == text);
  CHECK(last_policy(desk.hub).by.ends_with("o.perator"));
  CHECK(last_policy(desk.hub).reason == "agreement 12 was signed");
}

TEST_CASE("a restart with the configured text of before records that one again, and it decides") {
  Desk desk;
  REQUIRE(answer_to(desk.hub, change_to(desk.hub, narrower())).error == wire::ErrorKind::unknown);
  desk.hub.restart();
  REQUIRE(desk.hub.entries(EntryKind::policy_changed).size() == 3);
  CHECK(last_policy(desk.hub).by == core::kByConfiguration);
  CHECK(last_policy(desk.hub).text == desk.hub.rules.policy_text);
  desk.publish(1);
  desk.subscribe();
  REQUIRE(desk.got.size() == 1);
  CHECK(shows_number(desk.got[0]));
}

TEST_CASE("a restart with the text that was applied goes on under the version that it has") {
  Desk desk;
  const auto applied = answer_to(desk.hub, change_to(desk.hub, narrower()));
  desk.hub.rules.policy_text = narrower();
  desk.hub.restart();
  REQUIRE(desk.hub.entries(EntryKind::policy_changed).size() == 2);
  CHECK(desk.hub.entries(EntryKind::policy_changed).back().first == applied.sequence);
  desk.publish(1);
  desk.subscribe();
  REQUIRE(desk.got.size() == 1);
  CHECK_FALSE(shows_number(desk.got[0]));
}

TEST_CASE("a change that is refused leaves the policy as it is, and says why") {
  Desk desk;
  auto& hub = desk.hub;
  const auto refused = [&hub](wire::ChangePolicyT frame, wire::ErrorKind kind, const std::string& why,
                              const core::Peer& peer = kOperator) {
    const auto told = answer_to(hub, std::move(frame), peer);
    INFO(told.text);
    CHECK(told.error == kind);
    CHECK(told.text.find(why) != std::string::npos);
    CHECK(hub.entries(EntryKind::policy_changed).size() == 1);
  };
  using Kind = wire::ErrorKind;
  refused(change_to(hub, narrower()), Kind::denied, "operator", kCouncil);
  auto frame = change_to(hub, narrower());
  frame.reason.clear();
  refused(frame, Kind::invalid, "say the reason");
  frame = change_to(hub, narrower());
  frame.by.clear();
  refused(frame, Kind::invalid, "say who asks");
  frame = change_to(hub, narrower());
  frame.expected_version += 1;
  refused(frame, Kind::conflict, "look again");
  refused(change_to(hub, policy_with("\"admission\", \"discharge\", \"correction\", \"referral\"",
                                     "\"admision\", \"discharge\", \"correction\", \"referral\"")),
          Kind::invalid, "next.toml:5:");
  refused(change_to(hub, policy_with("role = \"social-care-duty\"", "role = \"social-care\"")),
          Kind::conflict, "council-duty-desk (role social-care-duty)");
  refused(change_to(hub, ""), Kind::invalid, "no rule");
  refused(change_to(hub, std::string(core::kPolicyTextBytesMax + 1, '#')), Kind::invalid, "at most");
  frame = change_to(hub, narrower());
  frame.reason.assign(10'000, 'r');
  refused(frame, Kind::invalid, "too long");
  desk.publish(1);
  desk.subscribe();
  REQUIRE(desk.got.size() == 1);
  CHECK(shows_number(desk.got[0]));
  const auto access = entry_of<ledger::AccessT>(hub.entries(EntryKind::access).front().second);
  CHECK(access.verb == "refused change policy");
}

TEST_CASE("a role that a subscription is in may stay without a rule where it never had one") {
  auto rules = Desk::rules(Desk::kDayMs);
  rules.policy_text = policy_with("role = \"social-care-duty\"", "role = \"social-care\"");
  Desk desk(rules);
  auto text = rules.policy_text;
  text.replace(text.find("Children Act 2004 s.10"), 22, "Children Act 1989 s.47");
  CHECK(answer_to(desk.hub, change_to(desk.hub, text)).error == wire::ErrorKind::unknown);
}

TEST_CASE("a preview says whether a policy could be applied and writes nothing") {
  Desk desk;
  auto frame = change_to(desk.hub, narrower());
  frame.preview = true;
  CHECK(answer_to(desk.hub, frame).error == wire::ErrorKind::unknown);
  frame.text = policy_with("role = \"social-care-duty\"", "role = \"social-care\"");
  CHECK(answer_to(desk.hub, frame).error == wire::ErrorKind::conflict);
  CHECK(desk.hub.entries(EntryKind::policy_changed).size() == 1);
  desk.publish(1);
  desk.subscribe();
  REQUIRE(desk.got.size() == 1);
  CHECK(shows_number(desk.got[0]));
}
