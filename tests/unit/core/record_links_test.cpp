#include "broker/core/record_links.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "broker/core/identity.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using event::EventType;
using event::Restriction;
using storage::EntryKind;

namespace {

const core::Peer kOperator = EngineHarness::operator_peer(9);

/// A hub whose hospital may say what a family decided.
core::HubRules rules() {
  auto rules = Desk::rules(Desk::kDayMs);
  for (auto& agency : rules.agencies) {
    if (!agency.may_publish.empty()) agency.may_publish.push_back(EventType::consent);
  }
  return rules;
}

struct Records {
  Desk desk{rules()};
  EngineHarness& hub = desk.hub;

  Sequence say(const event::EventT& event) {
    std::vector<wire::PublishItemT> items;
    items.push_back(item_of(event));
    auto received = hub.publish(kHospital, std::move(items));
    const auto outcome = *frames_of<wire::PublishedT>(received).at(0).outcomes.at(0);
    INFO(outcome.text);
    REQUIRE(outcome.outcome == wire::Outcome::receipt);
    desk.take(std::move(received));
    hub.pass_ms(1);
    return outcome.sequence;
  }
  static event::EventT event_of(int child, EventType type) {
    EventSpec spec;
    spec.child = child;
    spec.type = type;
    return make_event(spec);
  }
  /// Filed under the first child.
  static event::EventT linking(int child, std::vector<int> others, bool back = false) {
    auto event = event_of(child, EventType::identity_link);
    event.identity_link = std::make_unique<event::IdentityLinkT>();
    for (const int other : others) {
      event.identity_link->identifiers.push_back(std::make_unique<event::IdentifierT>());
      event.identity_link->identifiers.back()->value = test_nhs_number(other);
    }
    event.identity_link->reversed = back ? event::Answer::yes : event::Answer::no;
    return event;
  }
  static event::EventT merging(int child, int retired, bool back = false) {
    auto event = event_of(child, EventType::identity_merge);
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->surviving_nhs_number = test_nhs_number(child);
    event.identity_merge->retired_nhs_number = test_nhs_number(retired);
    event.identity_merge->reversed = back ? event::Answer::yes : event::Answer::no;
    return event;
  }
  Sequence link(int child, int other, bool back = false) { return say(linking(child, {other}, back)); }
  void mark(int child, Restriction mark, bool lift = false) {
    wire::MarkChildT frame;
    frame.person = "nhs:" + test_nhs_number(child);
    frame.restrictions = {mark};
    frame.lift = lift;
    frame.by = "o.perator";
    frame.reason = "police request 7";
    auto received = hub.send(kOperator, std::move(frame));
    REQUIRE(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::unknown);
    hub.pass_ms(1);
  }
  void decide(int child, event::ConsentDecision decision) {
    auto event = event_of(child, EventType::consent);
    event.consent = std::make_unique<event::ConsentT>();
    event.consent->decision = decision;
    say(event);
  }
  void erase(int child) {
    wire::EraseT frame;
    frame.person = "nhs:" + test_nhs_number(child);
    frame.by = "an operator";
    frame.reason = "asked for";
    REQUIRE(hub.erase(kOperator, frame).complete);
  }
  std::optional<PersonKey> person(int child) const {
    const auto hash = core::identifier_hash(hub.vault.index_key(), "nhs:" + test_nhs_number(child));
    return hub.state->linked({hash})->front();
  }
  core::KnownChild known(int child, Sequence through = core::kAllKnown) const {
    const auto bytes = pack_event(event_of(child, EventType::attendance));
    auto known = core::known_child(*hub.state, *person(child), *verified_event(bytes), 1, 0, through, {});
    REQUIRE(known);
    return std::move(*known);
  }
  core::RestrictionSet marks(int child, Sequence through = core::kAllKnown) const {
    const auto bytes = pack_event(event_of(child, EventType::attendance));
    return core::marks_of(*verified_event(bytes), known(child, through));
  }
  bool refuses(int child) const {
    const Timestamp far{1LL << 60U};
    return core::consent_of({}, false, {}, known(child), far) == core::ConsentState::refused;
  }
  std::size_t entries() const { return hub.entries(EntryKind::operator_action).size(); }
};

const auto kHidden = core::bit_of(Restriction::witness_protection);

}  // namespace

TEST_CASE(
    "a mark in one record of a child withholds what is filed in another, until the link is taken back") {
  Records county;
  auto& desk = county.desk;
  const auto first = desk.publish(1);
  desk.publish(2);
  const auto before = desk.publish(2);
  county.mark(1, Restriction::witness_protection);
  county.link(2, 1);
  desk.publish(2);
  county.link(1, 2, true);
  const auto after = desk.publish(2);
  const auto other = desk.publish(3);
  desk.subscribe();
  for (const auto& delivery : std::vector(desk.got)) desk.ack(delivery.sequence);
  for (std::size_t at = 1; at < desk.got.size(); ++at) desk.ack(desk.got[at].sequence);
  auto got = desk.sequences();
  std::sort(got.begin(), got.end());
  got.erase(std::unique(got.begin(), got.end()), got.end());
  CHECK(std::ranges::find(got, first) != got.end());
  CHECK(std::ranges::find(got, before) != got.end());
  CHECK(std::ranges::find(got, after) != got.end());
  CHECK(std::ranges::find(got, other) != got.end());
  CHECK(got.size() == 5);
}

TEST_CASE("which records are one child's is on record under the key of each, once") {
  Records county;
  county.desk.publish(1);
  county.desk.publish(2);
  const auto said = county.link(1, 2);
  REQUIRE(county.entries() == 2);
  for (const auto& [sequence, body] : county.hub.entries(EntryKind::operator_action)) {
    const auto& action = entry_of<ledger::OperatorActionT>(body);
    CHECK(action.action == core::kLinkAction);
    CHECK(action.by == "hub");
    CHECK(action.sequence == said);
    CHECK(action.others.size() == 1);
    const bool of_first =
        county.hub.state->body(sequence)->key_id == (*county.hub.state->person(*county.person(1)))->key_id;
    const bool of_second =
        county.hub.state->body(sequence)->key_id == (*county.hub.state->person(*county.person(2)))->key_id;
    CHECK(of_first != of_second);
  }
  county.link(2, 1);
  county.say(Records::merging(1, 2));
  CHECK(county.entries() == 2);
  county.say(Records::merging(2, 1, true));
  CHECK(county.entries() == 4);
}

TEST_CASE("records are joined one by another, by links and merges, and a restarted hub knows it") {
  Records county;
  for (const int child : {1, 2, 3, 4}) county.desk.publish(child);
  county.mark(4, Restriction::witness_protection);
  county.link(1, 2);
  county.say(Records::merging(3, 2));
  CHECK(county.marks(1) == 0);
  county.say(Records::linking(3, {4}));
  for (const int child : {1, 2, 3, 4}) CHECK(county.marks(child) == kHidden);
  county.hub.restart_without_state();
  for (const int child : {1, 2, 3, 4}) CHECK(county.marks(child) == kHidden);
  county.say(Records::merging(2, 3, true));
  CHECK(county.marks(1) == 0);
  CHECK(county.marks(2) == 0);
  CHECK(county.marks(3) == kHidden);
}

TEST_CASE("what was decided before a link stays as it was known then") {
  Records county;
  county.desk.publish(1);
  county.desk.publish(2);
  county.mark(2, Restriction::witness_protection);
  const auto before = county.hub.state->head();
  const auto said = county.link(1, 2);
  CHECK(county.marks(1, before) == 0);
  CHECK(county.marks(1, said) == kHidden);
  county.mark(2, Restriction::witness_protection, true);
  CHECK(county.marks(1) == 0);
  CHECK(county.marks(1, said) == kHidden);
}

TEST_CASE(
    "a link protects and opens nothing: a refusal counts in both records, a consent and a lifted mark in "
    "one") {
  Records county;
  county.desk.publish(1);
  county.desk.publish(2);
  county.decide(1, event::ConsentDecision::refused);
  county.decide(2, event::ConsentDecision::given);
  county.link(2, 1);
  CHECK(county.refuses(1));
  CHECK(county.refuses(2));
  county.decide(2, event::ConsentDecision::given);
  CHECK(county.refuses(2));
  county.decide(1, event::ConsentDecision::given);
  CHECK_FALSE(county.refuses(1));
  CHECK_FALSE(county.refuses(2));
  county.mark(1, Restriction::adopted);
  county.mark(2, Restriction::adopted);
  county.mark(2, Restriction::adopted, true);
  CHECK(county.marks(2) == core::bit_of(Restriction::adopted));
}

TEST_CASE("a name that has no record yet is followed once it has one, after a restart as well") {
  Records county;
  county.desk.publish(1);
  county.mark(1, Restriction::witness_protection);
  county.link(1, 2);
  county.link(1, 3);
  county.link(1, 3, true);
  CHECK(county.entries() == 1);
  SECTION("while it runs") {}
  SECTION("later") { county.hub.restart_without_state(); }
  const auto second = county.desk.publish(2);
  county.desk.publish(3);
  // The record's very first event is decided by it.
  CHECK(county.marks(2, second) == kHidden);
  CHECK(county.marks(3) == 0);
  county.desk.subscribe();
  for (std::size_t at = 0; at < county.desk.got.size(); ++at) county.desk.ack(county.desk.got[at].sequence);
  const auto got = county.desk.sequences();
  CHECK(std::ranges::find(got, second) == got.end());
}

TEST_CASE("an erased record protects nobody any more, and its name is followed when it comes again") {
  Records county;
  county.desk.publish(1);
  county.desk.publish(2);
  county.mark(2, Restriction::witness_protection);
  county.link(1, 2);
  county.say(Records::linking(1, {2}, true));
  county.say(Records::linking(1, {3}));
  county.erase(2);
  CHECK(county.marks(1) == 0);
  county.hub.restart_without_state();
  CHECK(county.marks(1) == 0);
  county.desk.publish(2);
  county.mark(2, Restriction::witness_protection);
  CHECK(county.marks(1) == 0);
  county.desk.publish(3);
  county.mark(3, Restriction::witness_protection);
  CHECK(county.marks(1) == kHidden);
  county.erase(3);
  CHECK_FALSE(county.person(1));
}

TEST_CASE("a link of many names, or with itself, joins each two once") {
  Records county;
  std::vector<int> others;
  for (int child = 1; child <= 16; ++child) {
    county.desk.publish(child);
    if (child > 1) others.push_back(child);
  }
  county.say(Records::linking(1, others));
  std::set<PersonKey> records;  // two children have one number here
  for (int child = 1; child <= 16; ++child) records.insert(*county.person(child));
  CHECK(records.size() > 12);
  CHECK(county.entries() == records.size());
  county.mark(16, Restriction::witness_protection);
  for (int child = 1; child <= 16; ++child) CHECK(county.marks(child) == kHidden);
  county.say(Records::linking(1, {1}));
  CHECK(county.entries() == records.size() + 1);
}
