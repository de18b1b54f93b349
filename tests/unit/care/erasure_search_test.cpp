#include "broker/care/erasure_search.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/erasing.hpp"

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

TEST_CASE("records that a merge names as one child are erased together, unless it was taken back") {
  Erasing past;
  const auto merge = [&](bool back) {
    EventSpec spec;
    spec.type = event::EventType::identity_merge;
    auto event = make_event(spec);
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->surviving_nhs_number = test_nhs_number(1);
    event.identity_merge->retired_nhs_number = test_nhs_number(2);
    event.identity_merge->reversed = back ? event::Answer::yes : event::Answer::no;
    return past.hub.publish_one(past.hospital, item_of(event));
  };
  const auto merged = merge(false);
  if (merged.outcome != wire::Outcome::receipt) {
    // Its agency may not publish one: then there is nothing to follow.
    CHECK(merged.outcome == wire::Outcome::refused);
    return;
  }
  SECTION("it stands") {
    const auto erased = past.erase(Erasing::name(1));
    CHECK(erased.events == 7);
    CHECK(!erased.shared.empty());
    for (const auto sequence : past.of_two) CHECK(!past.opens(sequence));
  }
  SECTION("it was taken back") {
    merge(true);
    CHECK(past.erase(Erasing::name(1)).events == 5);
    for (const auto sequence : past.of_two) CHECK(past.opens(sequence));
  }
  past.check_rebuilt();
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
