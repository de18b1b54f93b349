#include "broker/core/admission.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using event::EventType;
using ledger::Mark;
using wire::Outcome;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kTrust = EngineHarness::peer(2, "fenbrook-camhs");
const core::Peer kCouncil = EngineHarness::peer(3, "northmarch-council");

bool marked(const wire::PublishOutcomeT& outcome, Mark mark) {
  return std::find(outcome.marks.begin(), outcome.marks.end(), mark) != outcome.marks.end();
}

const ledger::EventEntryT& event_entry(const std::vector<std::pair<Sequence, ledger::BodyT>>& entries,
                                       std::size_t at) {
  return entry_of<ledger::EventEntryT>(entries.at(at).second);
}

PersonKey person_of(const std::vector<std::pair<Sequence, ledger::BodyT>>& entries, std::size_t at) {
  return key_from<PersonKey>(*event_entry(entries, at).person);
}

wire::PublishItemT problem_item() {
  wire::PublishItemT item;
  item.channel = "elwick-adt";
  item.problem = std::make_unique<wire::ProblemT>();
  item.problem->code = "missing_field";
  item.problem->place = "PID-3";
  item.problem->text = "required";
  item.original = {'M', 'S', 'H'};
  item.original_media_type = "x-application/hl7-v2+er7";
  return item;
}

}  // namespace

TEST_CASE("a message that comes twice gets the receipt of the first") {
  EngineHarness hub;
  const auto event = make_event({});
  const auto first = hub.publish_one(kHospital, item_of(event));
  hub.clock.advance_ms(1000);
  const auto second = hub.publish_one(kHospital, item_of(event));
  CHECK(first.outcome == Outcome::receipt);
  CHECK(second.outcome == Outcome::duplicate);
  CHECK(second.sequence == first.sequence);
  CHECK(second.appended_at == first.appended_at);
  CHECK(hub.entries(storage::EntryKind::event).size() == 1);
}

TEST_CASE(
    "the second of two same messages in one frame is a duplicate of the first, before either is synced") {
  EngineHarness hub;
  const auto event = make_event({});
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(event));
  items.push_back(item_of(event));
  auto received = hub.publish(kHospital, std::move(items));
  const auto published = frames_of<wire::PublishedT>(received);
  REQUIRE(published.size() == 1);
  CHECK(published[0].outcomes[0]->outcome == Outcome::receipt);
  CHECK(published[0].outcomes[1]->outcome == Outcome::duplicate);
  CHECK(published[0].outcomes[1]->sequence == published[0].outcomes[0]->sequence);
  CHECK(published[0].outcomes[0]->number == 1);
  CHECK(published[0].outcomes[1]->number == 2);
}

TEST_CASE("the content hash decides what is the same, not the bytes") {
  EngineHarness hub;
  auto item = item_of(EventSpec{});
  item.identity = {'A', '1'};
  item.content_hash.assign(32, 7);
  auto again = item_of(EventSpec{});  // another id inside
  again.identity = item.identity;
  again.content_hash = item.content_hash;
  const auto first = hub.publish_one(kHospital, std::move(item));
  const auto second = hub.publish_one(kHospital, std::move(again));
  CHECK(second.outcome == Outcome::duplicate);
  CHECK(second.sequence == first.sequence);
}

TEST_CASE("an identity that comes again with other content is a conflict, and a refusal is kept") {
  EngineHarness hub;
  auto item = item_of(EventSpec{});
  item.identity = {'A', '1'};
  auto other = item_of(EventSpec{});
  other.identity = item.identity;
  hub.publish_one(kHospital, std::move(item));
  const auto outcome = hub.publish_one(kHospital, std::move(other));
  CHECK(outcome.outcome == Outcome::refused);
  CHECK(outcome.kind == wire::ErrorKind::conflict);
  CHECK(outcome.code == "id_conflict");
  CHECK(hub.entries(storage::EntryKind::refusal).size() == 1);
  CHECK(hub.entries(storage::EntryKind::event).size() == 1);
}

TEST_CASE("a channel that keeps reused ids gets a new event, marked and alarmed") {
  EngineHarness hub;
  auto item = item_of(EventSpec{});
  item.identity = {'A', '1'};
  auto other = item_of(EventSpec{});
  other.identity = item.identity;
  other.on_reuse = wire::OnReuse::mark_and_keep;
  hub.publish_one(kHospital, std::move(item));
  const auto outcome = hub.publish_one(kHospital, std::move(other));
  CHECK(outcome.outcome == Outcome::receipt);
  CHECK(marked(outcome, Mark::id_reused));
  CHECK(hub.alarmed("id_reused"));
}

TEST_CASE("the same identity on another channel is another message") {
  EngineHarness hub;
  auto item = item_of(EventSpec{});
  item.identity = {'A', '1'};
  EventSpec spec;
  spec.agency = "fenbrook-camhs";
  auto other = item_of(spec, "fenbrook-adt");
  other.identity = item.identity;
  CHECK(hub.publish_one(kHospital, std::move(item)).outcome == Outcome::receipt);
  CHECK(hub.publish_one(kTrust, std::move(other)).outcome == Outcome::receipt);
}

TEST_CASE("a channel of another agency is not published on, and nothing is written") {
  EngineHarness hub;
  const auto before = hub.ledger.head();
  const auto outcome = hub.publish_one(kTrust, item_of(EventSpec{}, "elwick-adt"));
  CHECK(outcome.outcome == Outcome::refused);
  CHECK(outcome.kind == wire::ErrorKind::denied);
  CHECK(outcome.sequence == 0);
  CHECK(hub.ledger.head() == before);
  CHECK(hub.publish_one(EngineHarness::operator_peer(9), item_of(EventSpec{}, "")).kind ==
        wire::ErrorKind::denied);
}

TEST_CASE("an event that names another agency is denied, and kept as a refusal") {
  EngineHarness hub;
  EventSpec spec;
  spec.agency = "northmarch-council";
  const auto outcome = hub.publish_one(kHospital, item_of(spec));
  CHECK(outcome.outcome == Outcome::refused);
  CHECK(outcome.kind == wire::ErrorKind::denied);
  CHECK(outcome.code == "not_its_agency");
  CHECK(outcome.sequence != 0);
}

TEST_CASE("an agency publishes only the types that it may") {
  EngineHarness hub;
  EventSpec spec;
  spec.agency = "northmarch-council";
  const auto outcome = hub.publish_one(kCouncil, item_of(spec, ""));
  CHECK(outcome.kind == wire::ErrorKind::denied);
  CHECK(outcome.code == "type_not_permitted");
  spec.type = EventType::safeguarding_flag;
  CHECK(hub.publish_one(kCouncil, item_of(spec, "")).outcome == Outcome::receipt);
}

TEST_CASE("whoever is out of a channel's scope leaves nothing behind") {
  EngineHarness hub;
  EventSpec adult;
  adult.birth_year = 1970;
  adult.occurred_at_us = hub.clock.now().us;
  const auto before = hub.ledger.head();
  const auto rows = EngineHarness::rows(hub.store).size();
  const auto outcome = hub.publish_one(kHospital, item_of(adult));
  CHECK(outcome.outcome == Outcome::not_kept);
  CHECK(outcome.sequence == 0);
  CHECK_FALSE(outcome.text.empty());
  CHECK(hub.ledger.head() == before);
  CHECK(EngineHarness::rows(hub.store).size() == rows);
  CHECK(hub.engine->counters().not_kept == 1);
}

TEST_CASE("an adult's message is let go even where it is faulty, so that no adult's original is kept") {
  EngineHarness hub;
  EventSpec adult;
  adult.birth_year = 1970;
  adult.occurred_at_us = hub.clock.now().us;
  auto event = make_event(adult);
  event.person->nhs_number = "9990000000";
  const auto before = hub.ledger.head();
  CHECK(hub.publish_one(kHospital, item_of(event)).outcome == Outcome::not_kept);
  CHECK(hub.ledger.head() == before);
}

TEST_CASE("a fault of the content is a durable refusal with its place, and never its value") {
  EngineHarness hub;
  auto event = make_event({});
  event.person->nhs_number = "9990000000";
  const auto outcome = hub.publish_one(kHospital, item_of(event));
  CHECK(outcome.outcome == Outcome::refused);
  CHECK(outcome.kind == wire::ErrorKind::invalid);
  CHECK(outcome.place == "person.nhs_number");
  CHECK(outcome.text.find("9990000000") == std::string::npos);
  const auto refusals = hub.entries(storage::EntryKind::refusal);
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].first == outcome.sequence);
  CHECK(entry_of<ledger::RefusalT>(refusals[0].second).kept);
}

TEST_CASE("a refused message that comes again is refused once, and taken once it is put right") {
  EngineHarness hub;
  auto event = make_event({});
  const auto right = event.person->nhs_number;
  event.person->nhs_number = "9990000000";
  const auto first = hub.publish_one(kHospital, item_of(event));
  CHECK(first.outcome == Outcome::refused);
  hub.clock.advance_ms(1000);
  const auto second = hub.publish_one(kHospital, item_of(event));
  CHECK(second.outcome == Outcome::refused);
  CHECK(second.sequence == first.sequence);
  CHECK(second.appended_at == first.appended_at);
  CHECK(hub.entries(storage::EntryKind::refusal).size() == 1);
  event.person->nhs_number = right;
  CHECK(hub.publish_one(kHospital, item_of(event)).outcome == Outcome::receipt);
}

TEST_CASE("a message that could not be mapped is kept sealed with its reason, and alarmed") {
  EngineHarness hub;
  const auto outcome = hub.publish_one(kHospital, problem_item());
  CHECK(outcome.outcome == Outcome::refused);
  CHECK(outcome.code == "missing_field");
  CHECK(outcome.place == "PID-3");
  CHECK(hub.alarmed("message_refused"));
  const auto refusals = hub.entries(storage::EntryKind::refusal);
  REQUIRE(refusals.size() == 1);
  CHECK(entry_of<ledger::RefusalT>(refusals[0].second).original == Bytes{'M', 'S', 'H'});
}

TEST_CASE(
    "a channel's refusals that keep no message share a key a day, also after a restart; one that keeps a "
    "message has its own") {
  EngineHarness hub;
  const auto empty_item = [] {
    auto item = problem_item();
    item.original.clear();
    return item;
  };
  const auto key_of = [&](Sequence sequence) {
    return hub.ledger.read(sequence, 1, 1)->front().header.key_id;
  };
  const auto first = hub.publish_one(kHospital, empty_item()).sequence;
  const auto second = hub.publish_one(kHospital, empty_item()).sequence;
  hub.restart();
  const auto third = hub.publish_one(kHospital, empty_item()).sequence;
  hub.restart_without_state();
  const auto fourth = hub.publish_one(kHospital, empty_item()).sequence;
  hub.clock.advance_ms(86'400'000);
  const auto next_day = hub.publish_one(kHospital, empty_item()).sequence;
  CHECK(key_of(first) == key_of(second));
  CHECK(key_of(first) == key_of(third));
  CHECK(key_of(first) == key_of(fourth));
  const auto kept = hub.publish_one(kHospital, problem_item()).sequence;
  const auto also_kept = hub.publish_one(kHospital, problem_item()).sequence;
  CHECK_FALSE(key_of(kept) == key_of(next_day));
  CHECK_FALSE(key_of(kept) == key_of(also_kept));
  CHECK_FALSE(key_of(first) == key_of(next_day));
}

TEST_CASE("sizes are bounded, and what is too large is a refusal") {
  EngineHarness hub;
  auto item = item_of(EventSpec{});
  item.identity.assign(limits::kIdentityBytesMax + 1, 'x');
  CHECK(hub.publish_one(kHospital, std::move(item)).code == "too_large");
  auto original = item_of(EventSpec{});
  original.original.assign(limits::kOriginalBytesMax + 1, 'x');
  CHECK(hub.publish_one(kHospital, std::move(original)).code == "too_large");
  auto hash = item_of(EventSpec{});
  hash.content_hash.assign(31, 'x');
  CHECK(hub.publish_one(kHospital, std::move(hash)).code == "content_hash");
}

TEST_CASE("events with one identifier in common are one person's, and form a chain") {
  EngineHarness hub;
  auto first = make_event({});
  first.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>());
  first.person->local_identifiers[0]->value = "H-17";
  auto second = make_event({});
  second.person->nhs_number.clear();
  second.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>());
  second.person->local_identifiers[0]->value = "H-17";
  const auto one = hub.publish_one(kHospital, item_of(first));
  const auto two = hub.publish_one(kHospital, item_of(second));
  const auto entries = hub.entries(storage::EntryKind::event);
  REQUIRE(entries.size() == 2);
  CHECK(event_entry(entries, 0).new_person);
  CHECK_FALSE(event_entry(entries, 1).new_person);
  CHECK(person_of(entries, 0) == person_of(entries, 1));
  CHECK(event_entry(entries, 0).previous_of_person == 0);
  CHECK(event_entry(entries, 1).previous_of_person == one.sequence);
  CHECK(event_entry(entries, 0).identifiers.size() == 2);
  CHECK(event_entry(entries, 1).identifiers.empty());
  CHECK(hub.ledger.read(one.sequence, 1, 1)->front().header.key_id ==
        hub.ledger.read(two.sequence, 1, 1)->front().header.key_id);
}

TEST_CASE("a local number is its issuer's: the same number of two agencies is two children's") {
  EngineHarness hub;
  const auto with_local = [](const std::string& agency) {
    EventSpec spec;
    spec.agency = agency;
    spec.child = 0;
    auto event = make_event(spec);
    event.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>());
    event.person->local_identifiers[0]->value = "17";
    return event;
  };
  hub.publish_one(kHospital, item_of(with_local("elwick-hospital")));
  hub.publish_one(kTrust, item_of(with_local("fenbrook-camhs"), "fenbrook-adt"));
  const auto entries = hub.entries(storage::EntryKind::event);
  CHECK_FALSE(person_of(entries, 0) == person_of(entries, 1));
}

TEST_CASE("identifiers of two people are marked, the stronger one decides, and nobody is merged") {
  EngineHarness hub;
  EventSpec other;
  other.child = 0;
  auto by_local = make_event(other);
  by_local.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>());
  by_local.person->local_identifiers[0]->value = "H-17";
  hub.publish_one(kHospital, item_of(EventSpec{}));
  hub.publish_one(kHospital, item_of(by_local));
  auto both = make_event({});
  both.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>());
  both.person->local_identifiers[0]->value = "H-17";
  const auto outcome = hub.publish_one(kHospital, item_of(both));
  CHECK(outcome.outcome == Outcome::receipt);
  CHECK(marked(outcome, Mark::identity_conflict));
  const auto entries = hub.entries(storage::EntryKind::event);
  CHECK(person_of(entries, 2) == person_of(entries, 0));
  CHECK(event_entry(entries, 2).identifiers.empty());
}

TEST_CASE("a mother's NHS number never links her baby to her") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  auto baby = make_event({});
  baby.person->nhs_number_status = event::NhsNumberStatus::mothers_used;
  const auto outcome = hub.publish_one(kHospital, item_of(baby));
  CHECK(marked(outcome, Mark::person_unidentified));
  const auto entries = hub.entries(storage::EntryKind::event);
  CHECK_FALSE(person_of(entries, 0) == person_of(entries, 1));
}

TEST_CASE("a child without any identifier is a new person each time, and marked") {
  EngineHarness hub;
  EventSpec nameless;
  nameless.child = 0;
  CHECK(marked(hub.publish_one(kHospital, item_of(nameless)), Mark::person_unidentified));
  CHECK(marked(hub.publish_one(kHospital, item_of(nameless)), Mark::person_unidentified));
  const auto entries = hub.entries(storage::EntryKind::event);
  CHECK_FALSE(person_of(entries, 0) == person_of(entries, 1));
}

TEST_CASE("a unit's capacity is about the unit, each time the same") {
  EngineHarness hub;
  EventSpec spec;
  spec.type = EventType::capacity;
  hub.publish_one(kHospital, item_of(spec));
  hub.publish_one(kHospital, item_of(spec));
  const auto entries = hub.entries(storage::EntryKind::event);
  REQUIRE(entries.size() == 2);
  CHECK(person_of(entries, 0) == person_of(entries, 1));
  CHECK(event_entry(entries, 1).previous_of_person == entries[0].first);
}

TEST_CASE("a discharge or a cancel before its admission is kept, and marked") {
  EngineHarness hub;
  EventSpec spec;
  spec.type = EventType::discharge;
  CHECK(marked(hub.publish_one(kHospital, item_of(spec)), Mark::before_admission));
  spec.child = 2;
  spec.type = EventType::correction;
  CHECK(marked(hub.publish_one(kHospital, item_of(spec)), Mark::before_admission));
  spec.corrects = EventType::referral;
  CHECK_FALSE(marked(hub.publish_one(kHospital, item_of(spec)), Mark::before_admission));
}

TEST_CASE("a discharge after its admission is unmarked, and so is what follows a cancelled discharge") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  EventSpec discharge;
  discharge.type = EventType::discharge;
  CHECK_FALSE(marked(hub.publish_one(kHospital, item_of(discharge)), Mark::before_admission));
  CHECK(marked(hub.publish_one(kHospital, item_of(discharge)), Mark::before_admission));
  EventSpec cancelled;
  cancelled.type = EventType::correction;
  cancelled.corrects = EventType::discharge;
  CHECK_FALSE(marked(hub.publish_one(kHospital, item_of(cancelled)), Mark::before_admission));
  CHECK_FALSE(marked(hub.publish_one(kHospital, item_of(discharge)), Mark::before_admission));
}

TEST_CASE("a sender whose clock is ahead is marked and alarmed") {
  EngineHarness hub;
  EventSpec spec;
  spec.occurred_at_us = hub.clock.now().us + 301 * kSecondUs;
  CHECK(marked(hub.publish_one(kHospital, item_of(spec)), Mark::occurred_in_future));
  CHECK(hub.alarmed("occurred_in_future"));
}

TEST_CASE("an empty Publish and one with too many items are rejected whole") {
  EngineHarness hub;
  auto received = hub.publish(kHospital, {});
  CHECK(frames_of<wire::RejectedT>(received).size() == 1);
  std::vector<wire::PublishItemT> items(limits::kPublishItemsMax + 1);
  auto many = hub.publish(kHospital, std::move(items));
  CHECK(frames_of<wire::RejectedT>(many).size() == 1);
}
