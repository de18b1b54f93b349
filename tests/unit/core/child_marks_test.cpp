#include "broker/core/child_marks.hpp"

#include <catch2/catch.hpp>

#include "broker/core/identity.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using event::Restriction;
using storage::EntryKind;

namespace {

const core::Peer kOperator = EngineHarness::operator_peer(9);

wire::MarkChildT marking(int child, std::vector<Restriction> marks, bool lift = false) {
  wire::MarkChildT frame;
  frame.number = 4;
  frame.person = "nhs:" + test_nhs_number(child);
  frame.restrictions = std::move(marks);
  frame.lift = lift;
  frame.by = "o.perator";
  frame.reason = "police request 7";
  return frame;
}

wire::HandledT answer_to(EngineHarness& hub, wire::MarkChildT frame, const core::Peer& peer = kOperator) {
  auto received = hub.send(peer, std::move(frame));
  auto handled = frames_of<wire::HandledT>(received);
  REQUIRE(handled.size() == 1);
  CHECK(handled.front().number == 4);
  hub.pass_ms(1);
  return std::move(handled.front());
}

core::RestrictionSet marks_on(EngineHarness& hub, int child) {
  const auto hash = core::identifier_hash(hub.vault.index_key(), "nhs:" + test_nhs_number(child));
  const auto person = hub.state->linked({hash})->front();
  return person ? core::marks_known(*hub.state->child_facts(*person)) : core::RestrictionSet{0};
}

std::size_t actions(const EngineHarness& hub) { return hub.entries(EntryKind::operator_action).size(); }

}  // namespace

TEST_CASE("an operator's mark withholds the child's next event, and shows the one after it is lifted") {
  Desk desk;
  const auto before = desk.publish(1);
  const auto marked = answer_to(desk.hub, marking(1, {Restriction::witness_protection}));
  REQUIRE(marked.error == wire::ErrorKind::unknown);
  CHECK(marked.sequence == desk.hub.entries(EntryKind::operator_action).back().first);
  desk.publish(1);
  const auto other = desk.publish(2);
  REQUIRE(answer_to(desk.hub, marking(1, {Restriction::witness_protection}, true)).error ==
          wire::ErrorKind::unknown);
  const auto after = desk.publish(1);
  desk.subscribe();
  desk.ack(before);
  CHECK(desk.sequences() == Sequences{before, other, after});
}

TEST_CASE("a mark is on record with who and why, under the child's own key, and is not written twice") {
  Desk desk;
  desk.publish(1);
  REQUIRE(answer_to(desk.hub, marking(1, {Restriction::adopted})).sequence != 0);
  const auto entries = desk.hub.entries(EntryKind::operator_action);
  const auto& [sequence, body] = entries.back();
  const auto action = entry_of<ledger::OperatorActionT>(body);
  CHECK(action.action == core::kMarkAction);
  CHECK(action.by.ends_with("o.perator"));
  CHECK(action.reason == "police request 7");
  CHECK(action.restrictions == std::vector{Restriction::adopted});
  const auto hash = core::identifier_hash(desk.hub.vault.index_key(), "nhs:" + test_nhs_number(1));
  const auto person = *desk.hub.state->linked({hash})->front();
  CHECK(desk.hub.state->body(sequence)->key_id == (*desk.hub.state->person(person))->key_id);
  const auto again = answer_to(desk.hub, marking(1, {Restriction::adopted}));
  CHECK(again.error == wire::ErrorKind::unknown);
  CHECK(again.sequence == 0);
  CHECK(actions(desk.hub) == 1);
  CHECK(answer_to(desk.hub, marking(1, {Restriction::adopted, Restriction::other})).sequence != 0);
  CHECK(entry_of<ledger::OperatorActionT>(desk.hub.entries(EntryKind::operator_action).back().second)
            .restrictions == std::vector{Restriction::other});
}

TEST_CASE("a rebuilt hub knows the marks, and an erasure leaves nothing of them") {
  Desk desk;
  desk.publish(1);
  REQUIRE(answer_to(desk.hub, marking(1, {Restriction::witness_protection})).sequence != 0);
  desk.hub.restart_without_state();
  CHECK(marks_on(desk.hub, 1) == core::bit_of(Restriction::witness_protection));
  const auto sequence = desk.hub.entries(EntryKind::operator_action).back().first;
  wire::EraseT frame;
  frame.person = "nhs:" + test_nhs_number(1);
  frame.by = "an operator";
  frame.reason = "asked for";
  REQUIRE(desk.hub.erase(kOperator, frame).complete);
  CHECK(desk.hub.state->body(sequence)->bytes.empty());
  CHECK(marks_on(desk.hub, 1) == 0);
  desk.hub.restart_without_state();
  CHECK(marks_on(desk.hub, 1) == 0);
  desk.publish(1);
  CHECK(marks_on(desk.hub, 1) == 0);
}

TEST_CASE("a mark that is the first entry of a day does not lend its key to the hub's own entries") {
  Desk desk;
  desk.publish(1);
  desk.hub.pass_ms(Desk::kDayMs);
  REQUIRE(answer_to(desk.hub, marking(1, {Restriction::adopted})).sequence != 0);
  desk.hub.restart();
  auto refused = marking(1, {});
  answer_to(desk.hub, refused);
  const auto marked = desk.hub.entries(EntryKind::operator_action).back().first;
  const auto asked = desk.hub.entries(EntryKind::access).back().first;
  CHECK(desk.hub.state->body(marked)->key_id != desk.hub.state->body(asked)->key_id);
  wire::EraseT frame;
  frame.person = "nhs:" + test_nhs_number(1);
  frame.by = "an operator";
  frame.reason = "asked for";
  REQUIRE(desk.hub.erase(kOperator, frame).complete);
  CHECK_FALSE(desk.hub.state->body(asked)->bytes.empty());
}

TEST_CASE("what is not an operator's to mark, or not said whole, is refused and on record") {
  Desk desk;
  auto& hub = desk.hub;
  desk.publish(1);
  const auto refused = [&hub](wire::MarkChildT frame, wire::ErrorKind kind, const std::string& why,
                              const core::Peer& peer = kOperator) {
    const auto told = answer_to(hub, std::move(frame), peer);
    INFO(told.text);
    CHECK(told.error == kind);
    CHECK(told.text.find(why) != std::string::npos);
    CHECK(actions(hub) == 0);
    hub.pass_ms(core::RefusedQuestions::kApartUs / 1000 + 1);
    const auto access = entry_of<ledger::AccessT>(hub.entries(EntryKind::access).back().second);
    CHECK(access.verb.starts_with(core::kRefusedVerb));
    CHECK(access.what.find(why) != std::string::npos);
    CHECK(access.what.find("adopted") == std::string::npos);
  };
  using Kind = wire::ErrorKind;
  refused(marking(1, {Restriction::adopted}), Kind::denied, "operator", kCouncil);
  auto frame = marking(1, {Restriction::adopted});
  frame.reason.clear();
  refused(frame, Kind::invalid, "say the reason");
  frame = marking(1, {Restriction::adopted});
  frame.by.clear();
  refused(frame, Kind::invalid, "say who asks");
  frame = marking(1, {Restriction::adopted});
  frame.reason.assign(10'000, 'r');
  refused(frame, Kind::invalid, "too long");
  frame = marking(1, {Restriction::adopted});
  frame.person = "Marlow";
  refused(frame, Kind::invalid, "say whom");
  refused(marking(1, {}), Kind::invalid, "which mark");
  refused(marking(1, {Restriction::unknown}), Kind::invalid, "does not know such a mark");
  refused(marking(1, {static_cast<Restriction>(200)}), Kind::invalid, "does not know such a mark");
  refused(marking(7, {Restriction::adopted}), Kind::not_found, "knows nobody");
  refused(marking(1, {Restriction::adopted}, true), Kind::conflict, "does not bear");
}
