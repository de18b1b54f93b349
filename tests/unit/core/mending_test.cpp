#include "broker/core/mending.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>

#include "broker/base/ledger_keys.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using storage::EntryKind;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kCommissioner = EngineHarness::peer(3, "march-commissioner");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kNotices = "tier4-notice";

/// An admission that the council's desk refused for good and the commissioner took.
struct Refused {
  Refused() {
    hub.subscribe(kCouncil, kDesk, "social-care-duty");
    hub.subscribe(kCommissioner, kNotices, "tier4-case-manager");
    sequence = hub.publish_one(kHospital, item_of(EventSpec{})).sequence;
    hub.ack(kCommissioner, kNotices, sequence);
    hub.nak(kCouncil, kDesk, sequence, ledger::NakKind::rejected);
  }
  wire::HandleDeadLetterT mending(const event::EventT& event) const {
    wire::HandleDeadLetterT frame;
    frame.number = 5;
    frame.action = wire::DeadLetterAction::mend;
    frame.subscription = kDesk;
    frame.sequence = sequence;
    frame.event = pack_event(event);
    frame.by = "o.perator";
    frame.reason = "the ward's code was an old one";
    return frame;
  }
  std::vector<Received> mend(const event::EventT& event) { return hub.send(kOperator, mending(event)); }
  wire::ErrorKind refusal(const event::EventT& event) {
    auto received = mend(event);
    return frames_of<wire::HandledT>(received).at(0).error;
  }
  std::size_t events() const { return hub.entries(EntryKind::event).size(); }
  Sequence newest_event() const { return hub.entries(EntryKind::event).back().first; }
  void check_rebuilt() {
    const auto lived = EngineHarness::rows(hub.store);
    hub.restart_without_state();
    const auto rebuilt = EngineHarness::rows(hub.store);
    REQUIRE(rebuilt.size() == lived.size());
    for (std::size_t at = 0; at < lived.size(); ++at) {
      CHECK(rebuilt[at].key == lived[at].key);
      CHECK(rebuilt[at].value == lived[at].value);
    }
  }

  EngineHarness hub;
  Sequence sequence = 0;
};

EventSpec spec_of(event::EventType type, int child = 1) {
  EventSpec spec;
  spec.type = type;
  spec.child = child;
  return spec;
}

event::EventT corrected() {
  auto event = make_event(EventSpec{});
  event.id = "corrected";
  return event;
}

wire::FrameT framed(wire::HandleDeadLetterT message) {
  wire::FrameT frame;
  frame.message.Set(std::move(message));
  return frame;
}

}  // namespace

TEST_CASE("a mended event stands beside its original and goes to the one subscription, as late") {
  Refused refused;
  auto& hub = refused.hub;
  auto received = refused.mend(corrected());
  const auto handled = frames_of<wire::HandledT>(received).at(0);
  REQUIRE(handled.error == wire::ErrorKind::unknown);

  const auto events = hub.entries(EntryKind::event);
  REQUIRE(events.size() == 2);
  const auto original = entry_of<ledger::EventEntryT>(events[0].second);
  const auto mended = entry_of<ledger::EventEntryT>(events[1].second);
  CHECK(mended.mends == refused.sequence);
  CHECK(mended.mended_for == kDesk);
  CHECK(mended.agency == "elwick-hospital");
  CHECK(mended.channel == original.channel);
  CHECK(mended.marks == std::vector<ledger::Mark>{ledger::Mark::mended});
  CHECK(mended.previous_of_person == refused.sequence);
  CHECK(key_from<PersonKey>(*mended.person) == key_from<PersonKey>(*original.person));
  CHECK(original.mends == 0);
  CHECK(mended.identifiers.empty());

  const auto action = entry_of<ledger::OperatorActionT>(hub.entries(EntryKind::operator_action).at(0).second);
  CHECK(action.sequence == refused.sequence);
  CHECK(action.detail == std::to_string(events[1].first));
  CHECK(action.by == "operator/o.perator");
  CHECK(handled.sequence == hub.entries(EntryKind::operator_action).at(0).first);

  const auto told = deliveries_of(received, kDesk);
  REQUIRE(told.size() == 1);
  CHECK(told[0].sequence == events[1].first);
  CHECK(told[0].late);
  CHECK(told[0].marks == std::vector<ledger::Mark>{ledger::Mark::mended});
  CHECK(deliveries_of(received, kNotices).empty());
  hub.ack(kCouncil, kDesk, events[1].first);
  CHECK(hub.state->pending(kDesk, 0, 9)->empty());
  refused.check_rebuilt();
}

TEST_CASE("the same mend that comes twice makes one event") {
  Refused refused;
  REQUIRE(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  auto again = refused.mend(corrected());
  const auto handled = frames_of<wire::HandledT>(again).at(0);
  CHECK(handled.error == wire::ErrorKind::conflict);
  CHECK(handled.text ==
        "it is mended already: entry " + std::to_string(refused.newest_event()) + " stands in for it");
  auto other = corrected();
  other.id = "another";
  CHECK(refused.refusal(other) == wire::ErrorKind::not_found);
  CHECK(refused.events() == 2);
  refused.check_rebuilt();
  CHECK(refused.refusal(corrected()) == wire::ErrorKind::conflict);
  CHECK(refused.events() == 2);
}

TEST_CASE("the same mend twice in one step makes one event") {
  Refused refused;
  auto& hub = refused.hub;
  core::Decision decision;
  flatbuffers::FlatBufferBuilder builder;
  const auto frame = framed(refused.mending(corrected()));
  builder.Finish(wire::Frame::Pack(builder, &frame), wire::FrameIdentifier());
  const auto* packed = wire::GetFrame(builder.GetBufferPointer());
  REQUIRE(hub.engine->handle(kOperator, *packed, hub.clock.now(), decision).has_value());
  REQUIRE(hub.engine->handle(kOperator, *packed, hub.clock.now(), decision).has_value());
  CHECK(decision.sends.size() == 2);
  hub.step();
  CHECK(refused.events() == 2);
  CHECK(hub.entries(EntryKind::operator_action).size() == 1);
}

TEST_CASE("a mend that was not written down when the power went off has not been, and is sent again") {
  Refused refused;
  auto& hub = refused.hub;
  core::Decision decision;
  flatbuffers::FlatBufferBuilder builder;
  const auto frame = framed(refused.mending(corrected()));
  builder.Finish(wire::Frame::Pack(builder, &frame), wire::FrameIdentifier());
  REQUIRE(
      hub.engine->handle(kOperator, *wire::GetFrame(builder.GetBufferPointer()), hub.clock.now(), decision)
          .has_value());
  hub.restart();
  CHECK(refused.events() == 1);
  REQUIRE(hub.state->dead_letter(kDesk, refused.sequence)->has_value());
  CHECK(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  CHECK(refused.events() == 2);
}

TEST_CASE("what stands in for a dead letter outlives a crash and the state, and is delivered once taken up") {
  Refused refused;
  auto& hub = refused.hub;
  hub.disconnect(kCouncil.connection);
  REQUIRE(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  SECTION("the state's newest writes are lost") { hub.restart(0); }
  SECTION("all of the state is lost") { hub.restart_without_state(); }
  CHECK_FALSE(hub.state->dead_letter(kDesk, refused.sequence)->has_value());
  auto again = hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto told = deliveries_of(again, kDesk);
  REQUIRE(told.size() == 1);
  CHECK(told[0].sequence == refused.newest_event());
  CHECK(told[0].late);
  CHECK(told[0].attempt == 1);
}

TEST_CASE("what was mended waits behind what the child has pending, and comes after it") {
  Refused refused;
  auto& hub = refused.hub;
  const auto next = hub.publish_one(kHospital, item_of(spec_of(event::EventType::discharge)));
  auto received = refused.mend(corrected());
  CHECK(deliveries_of(received, kDesk).empty());  // the discharge is in flight
  received = hub.ack(kCouncil, kDesk, next.sequence);
  const auto told = deliveries_of(received, kDesk);
  REQUIRE(told.size() == 1);
  CHECK(told[0].sequence == refused.newest_event());
  CHECK(told[0].late);
  CHECK_FALSE(told[0].after_gap);
}

TEST_CASE("what was mended for one receiver changes nothing that the hub knows of the child") {
  Refused refused;
  auto& hub = refused.hub;
  const auto out = hub.publish_one(kHospital, item_of(spec_of(event::EventType::discharge)));
  hub.ack(kCouncil, kDesk, out.sequence);
  auto event = corrected();
  auto local = std::make_unique<event::IdentifierT>();
  local->issuer = "elwick-hospital";
  local->value = "not seen before";
  event.person->local_identifiers.push_back(std::move(local));
  REQUIRE(refused.refusal(event) == wire::ErrorKind::unknown);
  const auto second = hub.publish_one(kHospital, item_of(spec_of(event::EventType::discharge)));
  CHECK(second.marks == std::vector<ledger::Mark>{ledger::Mark::before_admission});
  auto stranger = make_event(spec_of(event::EventType::admission, 5));
  stranger.person->nhs_number.clear();
  stranger.person->upn.clear();
  stranger.person->local_identifiers = std::move(event.person->local_identifiers);
  REQUIRE(hub.publish_one(kHospital, item_of(stranger)).outcome == wire::Outcome::receipt);
  const auto events = hub.entries(EntryKind::event);
  CHECK(entry_of<ledger::EventEntryT>(events.back().second).new_person);
  refused.check_rebuilt();
}

TEST_CASE("what was mended and is given up is a dead letter that can be mended") {
  Refused refused;
  auto& hub = refused.hub;
  REQUIRE(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  const auto first = refused.newest_event();
  hub.nak(kCouncil, kDesk, first, ledger::NakKind::rejected);
  refused.sequence = first;
  auto received = refused.mend(corrected());
  REQUIRE(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::unknown);
  const auto mended = entry_of<ledger::EventEntryT>(hub.entries(EntryKind::event).back().second);
  CHECK(mended.mends == first);
  CHECK(mended.mended_for == kDesk);
}

TEST_CASE("what is no correction of the original is refused, and nothing is written") {
  Refused refused;
  refused.hub.publish_one(kHospital, item_of(spec_of(event::EventType::admission, 2)));
  auto event = corrected();
  SECTION("another child") { event = make_event(spec_of(event::EventType::admission, 2)); }
  SECTION("a child that the hub does not know") {
    event = make_event(spec_of(event::EventType::admission, 77));
  }
  SECTION("another agency's event") { event.source_agency = "fenbrook-camhs"; }
  SECTION("another type") { event = make_event(spec_of(event::EventType::discharge)); }
  SECTION("an identifier that cannot be") { event.person->nhs_number = "9990000001"; }
  const auto before = refused.events();
  CHECK(refused.refusal(event) == wire::ErrorKind::invalid);
  CHECK(refused.events() == before);
  CHECK(refused.hub.entries(EntryKind::operator_action).empty());
  CHECK(refused.hub.state->dead_letter(kDesk, refused.sequence)->has_value());
}

TEST_CASE("what the subscription may not see now, or does not want, is not mended for it") {
  Refused refused;
  SECTION("its filter") { refused.hub.rules.subscriptions[0].filter.tiers = {1}; }
  SECTION("the policy") {
    auto& policy = refused.hub.rules.policy_text;
    policy.replace(policy.find("\"admission\", "), std::string_view("\"admission\", ").size(), "");
  }
  refused.hub.restart();
  CHECK(refused.refusal(corrected()) == wire::ErrorKind::invalid);
  CHECK(refused.events() == 1);
}

TEST_CASE("a mended event without identifiers is about the original's child") {
  Refused refused;
  auto event = corrected();
  event.person->nhs_number.clear();
  event.person->upn.clear();
  event.person->local_identifiers.clear();
  REQUIRE(refused.refusal(event) == wire::ErrorKind::unknown);
  const auto events = refused.hub.entries(EntryKind::event);
  CHECK(key_from<PersonKey>(*entry_of<ledger::EventEntryT>(events[1].second).person) ==
        key_from<PersonKey>(*entry_of<ledger::EventEntryT>(events[0].second).person));
}

TEST_CASE("only an operator mends, with a reason and an event") {
  Refused refused;
  const auto answer = [&](const core::Peer& peer, wire::HandleDeadLetterT frame) {
    auto received = refused.hub.send(peer, std::move(frame));
    return frames_of<wire::HandledT>(received).at(0).error;
  };
  auto frame = refused.mending(corrected());
  CHECK(answer(kCouncil, frame) == wire::ErrorKind::denied);
  frame.reason.clear();
  CHECK(answer(kOperator, frame) == wire::ErrorKind::invalid);
  frame = refused.mending(corrected());
  frame.event.clear();
  CHECK(answer(kOperator, frame) == wire::ErrorKind::invalid);
  frame = refused.mending(corrected());
  frame.sequence += 100;
  CHECK(answer(kOperator, frame) == wire::ErrorKind::not_found);
  CHECK(refused.events() == 1);
}

TEST_CASE("who looks back hears nothing that was mended for another, and the one it was mended for does") {
  Refused refused;
  auto& hub = refused.hub;
  REQUIRE(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  const auto mended = refused.newest_event();
  hub.ack(kCouncil, kDesk, mended);
  std::vector<Sequence> told;
  const auto tell = [&](const core::Peer& peer, const std::string& name, std::vector<Received> received) {
    for (int step = 0; step < 20; ++step) {
      const auto deliveries = deliveries_of(received, name);
      received = hub.step();
      for (const auto& one : deliveries) {
        told.push_back(one.sequence);
        std::ranges::move(hub.ack(peer, name, one.sequence), std::back_inserter(received));
      }
    }
  };
  SECTION("a new subscription that starts at the beginning") {
    auto late = hub.rules.subscriptions[0];
    late.name = "night-desk";
    late.start.kind = core::StartAt::Kind::beginning;
    hub.rules.subscriptions.push_back(late);
    hub.restart();
    for (int step = 0; step < 10; ++step) hub.step();
    tell(kCouncil, "night-desk", hub.subscribe(kCouncil, "night-desk", "social-care-duty"));
    CHECK(told == std::vector<Sequence>{refused.sequence});
  }
  SECTION("a cursor that is set back") {
    wire::HandleSubscriptionT reset;
    reset.action = wire::SubscriptionAction::reset;
    reset.subscription = kDesk;
    reset.position = wire::Position::beginning;
    reset.reason = "restored from a backup";
    tell(kCouncil, kDesk, hub.send(kOperator, reset));
    CHECK(told == std::vector<Sequence>{refused.sequence, mended});
  }
  SECTION("another's cursor that is set back") {
    wire::HandleSubscriptionT reset;
    reset.action = wire::SubscriptionAction::reset;
    reset.subscription = kNotices;
    reset.position = wire::Position::beginning;
    reset.reason = "restored from a backup";
    tell(kCommissioner, kNotices, hub.send(kOperator, reset));
    CHECK(told == std::vector<Sequence>{refused.sequence});
  }
}

TEST_CASE("a replay goes to the receiver that it was mended for, and to no other") {
  Refused refused;
  auto& hub = refused.hub;
  REQUIRE(refused.refusal(corrected()) == wire::ErrorKind::unknown);
  const auto mended = refused.newest_event();
  hub.ack(kCouncil, kDesk, mended);
  const auto replayed = [&](const core::Peer& peer, const std::string& into) {
    wire::ReplayT replay;
    replay.into = into;
    replay.rate_per_minute = 6'000;
    replay.reason = "their server lost a morning";
    std::vector<Sequence> told;
    auto received = hub.send(kOperator, replay);
    for (int step = 0; step < 20; ++step) {
      auto frames = frames_of<wire::DeliverT>(received);
      received = hub.pass_ms(100);
      for (const auto& frame : frames) {
        for (const auto& one : frame.deliveries) {
          told.push_back(one->sequence);
          std::ranges::move(hub.ack(peer, frame.subscription, one->sequence), std::back_inserter(received));
        }
      }
    }
    return told;
  };
  CHECK(replayed(kCouncil, kDesk) == std::vector<Sequence>{refused.sequence, mended});
  CHECK(replayed(kCommissioner, kNotices) == std::vector<Sequence>{refused.sequence});
}

TEST_CASE("for a subscription that has not come to the end, what was mended comes in its turn, once") {
  Refused refused;
  auto& hub = refused.hub;
  for (int more = 0; more < 3'000; ++more)
    hub.publish_one(kHospital, item_of(spec_of(event::EventType::admission, 2)));
  hub.disconnect(kCouncil.connection);
  auto late = hub.rules.subscriptions[0];
  late.name = "night-desk";
  late.start.kind = core::StartAt::Kind::beginning;
  hub.rules.subscriptions.push_back(late);
  hub.restart();
  auto received = hub.subscribe(kCouncil, "night-desk", "social-care-duty");
  REQUIRE(deliveries_of(received, "night-desk").size() == 2);  // one of each child
  hub.nak(kCouncil, "night-desk", refused.sequence, ledger::NakKind::rejected);
  auto frame = refused.mending(corrected());
  frame.subscription = "night-desk";
  received = hub.send(kOperator, frame);
  REQUIRE(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::unknown);
  const auto mended = refused.newest_event();
  CHECK_FALSE(*hub.state->was_offered("night-desk", mended));
  for (int step = 0; step < 30; ++step) hub.step();
  CHECK(*hub.state->was_offered("night-desk", mended));
  std::size_t offered = 0;
  for (const auto& [sequence, body] : hub.entries(EntryKind::offered)) {
    const auto& entry = entry_of<ledger::OfferedT>(body);
    for (const auto& run : entry.runs) {
      if (run->range->first() <= mended && mended <= run->range->last()) {
        CHECK(entry.subscription == "night-desk");
        CHECK(entry.late);
        ++offered;
      }
    }
  }
  CHECK(offered == 1);
  refused.check_rebuilt();
}
