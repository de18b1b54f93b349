#include "broker/care/erasure_search.hpp"

#include <catch2/catch.hpp>

#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/delivery_records.hpp"
#include "tests/fakes/erasing.hpp"
#include "tests/fakes/falling.hpp"

using namespace carehub;
using namespace carehub::fakes;

TEST_CASE("a child of whom only a message was refused is found by it") {
  Erasing past;
  past.refuse(8);
  const auto erased = past.erase(Erasing::name(8));
  CHECK(erased.error == wire::ErrorKind::unknown);
  CHECK(erased.events == 0);
  CHECK(erased.refusals == 1);
  CHECK(past.hub.entries(storage::EntryKind::refusal).size() == 2);
  past.check_rebuilt();
}

namespace {

/// A link or merge of children 1 and 2, under the first or the second of them, or what takes one back.
struct Merging : Erasing {
  void say(int under, bool back = false, bool as_link = false) {
    said.push_back(link(under, under == 1 ? 2 : 1, back, as_link));
  }
  void check_second_is_erased(bool is_erased) {
    const auto told = erase(name(1));
    CHECK(told.complete);
    CHECK(told.refusals == (is_erased ? 2 : 1));
    if (is_erased) CHECK(told.shared == said);
    for (const auto sequence : of_one) CHECK(!opens(sequence));
    for (const auto sequence : of_two) CHECK(opens(sequence) != is_erased);
    check_rebuilt();
  }
  std::vector<Sequence> said;  // the statements, which are about both
};

}  // namespace

TEST_CASE("records that a merge or link names as one child are erased together, under whomever it is filed") {
  Merging past;
  SECTION("a merge under the one who is asked for") { past.say(1); }
  SECTION("a merge under the survivor, asked for by the retired number") { past.say(2); }
  SECTION("a link under the other") { past.say(2, false, true); }
  SECTION("one that was taken back and made again") {
    past.say(1);
    past.say(2, true);
    past.say(2);
  }
  past.check_second_is_erased(true);
}

TEST_CASE("a record whose link was taken back stays, under whomever that is filed") {
  Merging past;
  SECTION("a merge, in the same chain") {
    past.say(1);
    past.say(1, true);
  }
  SECTION("a merge, in the other chain") {
    past.say(1);
    past.say(2, true);
  }
  SECTION("a link, in the other chain") {
    past.say(1, false, true);
    past.say(2, true, true);
  }
  SECTION("made again, and taken back again") {
    past.say(2);
    past.say(1, true);
    past.say(1);
    past.say(2, true);
  }
  past.check_second_is_erased(false);
}

TEST_CASE("whoever is merged by way of a third is erased as well") {
  Merging past;
  past.say(2);
  EventSpec spec;
  spec.child = 3;
  spec.type = event::EventType::identity_merge;
  auto event = make_event(spec);
  event.identity_merge = std::make_unique<event::IdentityMergeT>();
  event.identity_merge->surviving_nhs_number = test_nhs_number(3);
  event.identity_merge->retired_nhs_number = test_nhs_number(2);
  const auto third = past.hub.publish_one(past.hospital, item_of(event)).sequence;
  CHECK(past.erase(Erasing::name(1)).events == 3 + 4 + 1);
  CHECK(!past.opens(third));
  past.check_rebuilt();
}

TEST_CASE(
    "what is taken back between two children says nothing of either and a third, whoever is asked for") {
  Erasing past;
  const auto merge = [&](int surviving, int retired, bool back = false) {
    EventSpec spec;
    spec.child = surviving;
    spec.type = event::EventType::identity_merge;
    auto event = make_event(spec);
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->surviving_nhs_number = test_nhs_number(surviving);
    event.identity_merge->retired_nhs_number = test_nhs_number(retired);
    event.identity_merge->reversed = back ? event::Answer::yes : event::Answer::no;
    REQUIRE(past.hub.publish_one(past.hospital, item_of(event)).outcome == wire::Outcome::receipt);
  };
  past.publish(3);
  merge(1, 3);
  merge(2, 3);
  merge(2, 3, true);
  merge(1, 2);
  const int asked = GENERATE(1, 2, 3);
  CHECK(past.erase(Erasing::name(asked), true).text.starts_with("3 records"));
}

TEST_CASE("what another child's event says by mistake is no name of this one") {
  Erasing past;
  EventSpec spec;
  auto event = make_event(spec);
  auto wrong = std::make_unique<event::IdentifierT>();
  wrong->value = "MRN-77881";
  event.person->local_identifiers.push_back(std::move(wrong));
  past.hub.publish_one(past.hospital, item_of(event));
  spec.child = 2;
  auto mistaken = make_event(spec);
  auto same = std::make_unique<event::IdentifierT>();
  same->value = "MRN-77881";
  mistaken.person->local_identifiers.push_back(std::move(same));
  const auto at = past.hub.publish_one(past.hospital, item_of(mistaken)).sequence;
  // Their numbers are two children's: the one who is erased is not called what the other is. The event is
  // about both.
  const auto of_two = past.erase(Erasing::name(2), true);
  CHECK(of_two.identifiers == 1);
  CHECK(of_two.shared == std::vector<Sequence>{at});
  const auto of_one = past.erase(Erasing::name(1), true);
  CHECK(of_one.identifiers == 2);
  CHECK(of_one.shared == std::vector<Sequence>{at});
  // Who goes takes their own events along, and nothing of the other's.
  CHECK(past.erase(Erasing::name(1)).shared == std::vector<Sequence>{at});
  CHECK(past.opens(at));
}

TEST_CASE("a ward's reports are no child's, and nobody erases them") {
  Erasing past;
  EventSpec spec;
  spec.type = event::EventType::capacity;
  const auto ward = past.hub.publish_one(past.hospital, item_of(spec)).sequence;
  CHECK(past.erase("sequence:" + std::to_string(ward)).error == wire::ErrorKind::not_found);
  CHECK(past.opens(ward));
}

TEST_CASE("a search comes to its end however much comes in meanwhile") {
  Erasing past;
  REQUIRE(past.hub.state->flush());
  care::ErasureSearch search(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                             Erasing::name(1));
  constexpr int kPartsMax = 12;
  int parts = 0;
  for (auto done = search.advance(); parts < kPartsMax; done = search.advance()) {
    REQUIRE(done);
    if (*done) break;
    ++parts;
    std::vector<wire::PublishItemT> items;
    for (int at = 0; at < 600; ++at) {
      EventSpec spec;
      spec.child = 10 + at % 7;
      spec.type = event::EventType::attendance;
      items.push_back(item_of(spec));
    }
    past.hub.publish(past.hospital, std::move(items));
  }
  CHECK(parts < kPartsMax);
}

TEST_CASE("a new number that comes in during the search is searched for, too") {
  Erasing past;
  const std::string text = "PID|1||NEW-123456";
  wire::PublishItemT unmapped;
  unmapped.channel = "elwick-adt";
  unmapped.problem = std::make_unique<wire::ProblemT>();
  unmapped.problem->code = "unmapped";
  unmapped.original.assign(text.begin(), text.end());
  unmapped.original_media_type = "x-application/hl7-v2+er7";
  REQUIRE(past.hub.publish_one(past.hospital, std::move(unmapped)).outcome == wire::Outcome::refused);
  REQUIRE(past.hub.state->flush());
  care::ErasureSearch search(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                             Erasing::name(1));
  REQUIRE(search.advance());
  REQUIRE(search.advance());  // the chain has been walked
  auto event = make_event({});
  auto local = std::make_unique<event::IdentifierT>();
  local->value = "NEW-123456";
  event.person->local_identifiers.push_back(std::move(local));
  REQUIRE(past.hub.publish_one(past.hospital, item_of(event)).outcome == wire::Outcome::receipt);
  auto done = search.advance();
  while (done && !*done) done = search.advance();
  REQUIRE(done);
  const auto found = search.take();
  CHECK(found.events == 4);
  CHECK(found.refusals == 2);
  CHECK(found.names.size() == 2);
}

TEST_CASE("a key that seals other refusals, or may seal the next one, is left, and so is what it seals") {
  Erasing past;
  const auto now = past.hub.clock.now();
  const auto key = past.hub.vault.mint().value();
  const auto append = [&](bool kept) {
    const auto text = "PID|1||" + test_nhs_number(1);
    ledger::RefusalT refusal;
    refusal.agency = "elwick-hospital";
    refusal.channel = "elwick-adt";
    refusal.kept = kept;
    refusal.original_media_type = "x-application/hl7-v2+er7";
    if (kept) refusal.original.assign(text.begin(), text.end());
    ledger::BodyT body;
    body.entry.Set(std::move(refusal));
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(ledger::Body::Pack(builder, &body));
    past.hub.state->append({storage::EntryKind::refusal,
                            key,
                            {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()}},
                           now);
  };
  append(true);
  SECTION("another was refused under it, and not kept") { append(false); }
  SECTION("it is today's") {
    const auto purpose = core::refusal_purpose("elwick-hospital", "elwick-adt");
    REQUIRE(past.hub.state->flush());
    past.hub.step();
    REQUIRE(past.hub.store.apply(
        {{care::row_keys::day_key(purpose, core::utc_day(now)), care::RowWriter().key(key).take()}},
        past.hub.store.applied()));
  }
  past.hub.step();
  const auto erased = past.erase(Erasing::name(1));
  CHECK(erased.refusals == 2);
  CHECK(!erased.complete);
  CHECK(erased.text.find("1 refused messages stay") != std::string::npos);
  CHECK(past.hub.vault.key(key));
  CHECK(!past.erase("sequence:" + std::to_string(erased.sequence)).complete);
}

TEST_CASE("a search comes to an end in bounded parts, and says how far it looked") {
  Erasing past;
  REQUIRE(past.hub.state->flush());
  care::ErasureSearch search(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                             Erasing::name(1));
  int parts = 0;
  for (auto done = search.advance(); done && !*done; done = search.advance()) ++parts;
  CHECK(parts < 10);
  const auto found = search.take();
  CHECK(found.through == past.hub.ledger.head());
  CHECK(found.people.size() == 1);
  CHECK(found.events == 3);
  CHECK(found.refusals == 1);
  CHECK(found.refusals_kept == 0);
}

TEST_CASE("what comes in while the ledger is searched is erased as well, whether it is durable or not") {
  Erasing past;
  REQUIRE(past.hub.state->flush());
  care::ErasureSearch search(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                             Erasing::name(1));
  auto done = search.advance();
  while (done && !*done) done = search.advance();
  REQUIRE(done);
  const auto late = past.publish(1);
  past.refuse(1);
  core::AskErasure ask;
  ask.peer = past.asker;
  ask.erase.by = "A Person";
  ask.erase.reason = "a test";
  core::Decision decision;
  REQUIRE(past.hub.engine->erase(ask, search.take(), past.hub.clock.now(), decision));
  REQUIRE(decision.destructions.size() == 1);
  CHECK(decision.destructions[0].answer.events == 4);
  past.hub.step();
  REQUIRE(past.hub.engine->destroy(decision.destructions[0].keys));
  CHECK(!past.opens(late));
  CHECK(past.hub.entries(storage::EntryKind::refusal).size() == 1);
  past.check_rebuilt();
}

TEST_CASE("a link that comes in right behind the search has it made again") {
  Erasing past;
  REQUIRE(past.hub.state->flush());
  care::ErasureSearch search(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                             Erasing::name(1));
  auto done = search.advance();
  while (done && !*done) done = search.advance();
  REQUIRE(done);
  EventSpec spec;
  spec.child = 2;
  spec.type = event::EventType::identity_merge;
  auto event = make_event(spec);
  event.identity_merge = std::make_unique<event::IdentityMergeT>();
  event.identity_merge->surviving_nhs_number = test_nhs_number(2);
  event.identity_merge->retired_nhs_number = test_nhs_number(1);
  REQUIRE(past.hub.publish_one(past.hospital, item_of(event)).outcome == wire::Outcome::receipt);
  core::AskErasure ask;
  ask.peer = past.asker;
  core::Decision decision;
  REQUIRE(past.hub.engine->erase(ask, search.take(), past.hub.clock.now(), decision));
  CHECK(decision.destructions.empty());
  CHECK(decision.sends.size() == 1);
  CHECK(past.hub.entries(storage::EntryKind::erasure).empty());
  CHECK(past.erase(Erasing::name(1)).events == 3 + 4);
}

namespace {

/// Child 8, of whom a refused message says the number, and the hospital's own number that another one says.
struct Late : Erasing {
  static constexpr const char* kOwn = "NEW-123456";

  Late() {
    refuse(8);
    const std::string text = std::string("PID|1||") + kOwn;
    wire::PublishItemT unmapped;
    unmapped.channel = "elwick-adt";
    unmapped.problem = std::make_unique<wire::ProblemT>();
    unmapped.problem->code = "unmapped";
    unmapped.original.assign(text.begin(), text.end());
    unmapped.original_media_type = "x-application/hl7-v2+er7";
    REQUIRE(hub.publish_one(hospital, std::move(unmapped)).outcome == wire::Outcome::refused);
  }
  Sequence say(event::EventT event) {
    auto own = std::make_unique<event::IdentifierT>();
    own->value = kOwn;
    event.person->local_identifiers.push_back(std::move(own));
    const auto published = hub.publish_one(hospital, item_of(event));
    REQUIRE(published.outcome == wire::Outcome::receipt);
    return published.sequence;
  }
  /// Child 8 by both, at once.
  Sequence say_both() {
    EventSpec spec;
    spec.child = 8;
    return say(make_event(spec));
  }
  void check_is_asked_again(bool before_the_scan) {
    REQUIRE(hub.state->flush());
    care::ErasureSearch search(hub.ledger, *hub.sealer, hub.store, hub.vault, name(8));
    REQUIRE(search.advance());
    if (before_the_scan) late = say_both();
    auto done = search.advance();
    while (done && !*done) done = search.advance();
    REQUIRE(done);
    if (!before_the_scan) late = say_both();
    core::AskErasure ask;
    ask.peer = asker;
    core::Decision decision;
    REQUIRE(hub.engine->erase(ask, search.take(), hub.clock.now(), decision));
    CHECK(decision.destructions.empty());
    REQUIRE(decision.sends.size() == 1);
    wire::ErasedT told;
    wire::GetFrame(decision.sends[0].frame.data())->message_as_Erased()->UnPackTo(&told);
    CHECK(told.error == wire::ErrorKind::overloaded);
    CHECK(told.text.find("ask again") != std::string::npos);
    hub.step();
    CHECK(hub.entries(storage::EntryKind::erasure).empty());
  }
  Sequence late = 0;
};

}  // namespace

TEST_CASE("whoever turns up while nobody was known yet is looked through before they are erased") {
  Late past;
  past.check_is_asked_again(GENERATE(true, false));
  const auto erased = past.erase(Erasing::name(8));
  CHECK(erased.complete);
  CHECK(erased.events == 1);
  CHECK(erased.refusals == 2);  // one of them names only what the late event said
  CHECK(!past.opens(past.late));
  past.check_rebuilt();
}

TEST_CASE("whoever turns out to be known by another number is erased with all that is linked to them") {
  Late past;
  EventSpec spec;
  spec.type = event::EventType::identity_link;
  auto event = make_event(spec);
  event.person->nhs_number.clear();
  event.identity_link = std::make_unique<event::IdentityLinkT>();
  auto other = std::make_unique<event::IdentifierT>();
  other->value = test_nhs_number(2);
  event.identity_link->identifiers.push_back(std::move(other));
  const auto link = past.say(std::move(event));
  past.check_is_asked_again(GENERATE(true, false));
  const auto erased = past.erase(Erasing::name(8));
  CHECK(erased.complete);
  CHECK(erased.events == 2 + 3);
  CHECK(erased.refusals == 3);
  CHECK(erased.shared == std::vector<Sequence>{link});
  for (const auto sequence : past.of_two) CHECK(!past.opens(sequence));
  for (const auto sequence : past.of_one) CHECK(past.opens(sequence));
  CHECK(!past.opens(past.late));
  past.check_rebuilt();
}

namespace {

/// The hub has fallen over entries as it folded them, and goes on without.
struct PassedOver : Erasing {
  void pass_over(std::vector<Sequence> entries) {
    for (const auto sequence : entries) {
      for (std::uint32_t times = 0; times < core::WorkNote::kFallsMax; ++times) {
        core::WorkNote at_rest(hub.note_page);
        fall(hub.note_page, {core::Step::fold, sequence, 0});
      }
    }
    const auto key = hub.vault.mint().value();
    for (const auto sequence : entries) {
      ledger::OperatorActionT action;
      action.action = core::kPassOverAction;
      action.by = "hub";
      action.sequence = sequence;
      ledger::BodyT body;
      body.entry.Set(std::move(action));
      flatbuffers::FlatBufferBuilder builder;
      builder.Finish(ledger::Body::Pack(builder, &body));
      hub.state->append({storage::EntryKind::operator_action,
                         key,
                         {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()}},
                        hub.clock.now());
    }
    hub.step();
    hub.restart_without_state();
  }
};

}  // namespace

TEST_CASE("a child's event that the hub passed over as it folded is erased with the child") {
  PassedOver past;
  std::vector<Sequence> all = past.of_one;
  std::string asked = Erasing::name(1);
  SECTION("the first, which began the record") { past.pass_over({all[0]}); }
  SECTION("one in the middle") { past.pass_over({all[1]}); }
  SECTION("all that there were") { past.pass_over(all); }
  SECTION("the first, asked for by its number") {
    past.pass_over({all[0]});
    asked = "sequence:" + std::to_string(all[0]);
  }
  SECTION("the only one, asked for by its number") {
    past.pass_over(all);
    asked = "sequence:" + std::to_string(all[2]);
  }
  SECTION("the first, and the next one began a record of its own") {
    past.pass_over(all);
    all.push_back(past.publish(1));
  }
  CHECK(past.erase(asked, true).events == all.size());
  const auto told = past.erase(asked);
  CHECK(told.error == wire::ErrorKind::unknown);
  CHECK(told.events == all.size());
  CHECK(told.refusals == 1);
  CHECK(told.complete);
  for (const auto sequence : all) CHECK(!past.opens(sequence));
  for (const auto sequence : past.of_two) CHECK(past.opens(sequence));
  past.check_rebuilt();
}

TEST_CASE("an event that the hub passed over and that names two children stays with whose it is") {
  PassedOver past;
  EventSpec spec;
  spec.child = 2;
  auto event = make_event(spec);
  auto own = std::make_unique<event::IdentifierT>();
  own->value = "MRN-77881";
  event.person->local_identifiers.push_back(std::move(own));
  past.hub.publish_one(past.hospital, item_of(event));
  spec.child = 1;
  auto mistaken = make_event(spec);
  auto other = std::make_unique<event::IdentifierT>();
  other->value = "MRN-77881";
  mistaken.person->local_identifiers.push_back(std::move(other));
  const auto at = past.hub.publish_one(past.hospital, item_of(mistaken)).sequence;
  past.pass_over({at});
  const auto told = past.erase(Erasing::name(2));
  CHECK(told.shared == std::vector<Sequence>{at});
  CHECK(past.opens(at));
  CHECK(past.erase(Erasing::name(1)).events == 4);
  CHECK(!past.opens(at));
}
