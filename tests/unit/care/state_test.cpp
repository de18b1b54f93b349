#include "broker/care/state.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");

/// A history with every kind of entry that leaves rows.
void live_a_little(EngineHarness& hub) {
  hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  std::vector<Sequence> published;
  for (int child = 1; child <= 6; ++child) {
    EventSpec spec;
    spec.child = child;
    published.push_back(hub.publish_one(kHospital, item_of(spec)).sequence);
    hub.publish_one(kHospital, item_of(spec));
  }
  hub.ack(kCouncil, "council-duty-desk", published[0]);
  hub.nak(kCouncil, "council-duty-desk", published[1], ledger::NakKind::rejected);
  hub.nak(kCouncil, "council-duty-desk", published[2], ledger::NakKind::failed);
  hub.pass_ms(10'000);
  auto faulty = make_event({});
  faulty.person->nhs_number = "9990000000";
  hub.publish_one(kHospital, item_of(faulty));
  hub.disconnect(2);
}

void check_same(const std::vector<storage::Row>& left, const std::vector<storage::Row>& right) {
  REQUIRE(left.size() == right.size());
  for (std::size_t at = 0; at < left.size(); ++at) {
    CHECK(left[at].key == right[at].key);
    CHECK(left[at].value == right[at].value);
  }
}

}  // namespace

TEST_CASE("a rebuilt state is the live one, row by row in key order") {
  EngineHarness hub;
  live_a_little(hub);
  const auto live = EngineHarness::rows(hub.store);
  hub.restart_without_state();
  check_same(live, EngineHarness::rows(hub.store));
}

TEST_CASE("a state that is behind catches up to the same rows") {
  EngineHarness hub;
  live_a_little(hub);
  const auto live = EngineHarness::rows(hub.store);
  for (std::size_t kept = 0; kept < 20; kept += 3) {
    hub.restart(kept);
    check_same(live, EngineHarness::rows(hub.store));
  }
}

TEST_CASE("a state that is ahead of its ledger is refused") {
  EngineHarness hub;
  live_a_little(hub);
  storage::MemoryLedger empty;
  care::State state(hub.store, empty, *hub.sealer);
  const auto caught_up = state.catch_up({});
  REQUIRE_FALSE(caught_up.has_value());
  CHECK(caught_up.error().kind == ErrorKind::corrupt);
}

TEST_CASE("an entry that is damaged stops the catching up, named by its number") {
  EngineHarness hub;
  live_a_little(hub);
  hub.ledger.damage(5, 120, 0x10);
  storage::MemoryStateStore fresh;
  care::State state(fresh, hub.ledger, *hub.sealer);
  const auto caught_up = state.catch_up({});
  REQUIRE_FALSE(caught_up.has_value());
  CHECK(caught_up.error().kind == ErrorKind::corrupt);
  CHECK(caught_up.error().text.find('5') != std::string::npos);
}

TEST_CASE("a vault that lacks a key of the ledger stops the hub, whether the state has to catch up or not") {
  EngineHarness hub;
  live_a_little(hub);
  const auto event = hub.entries(storage::EntryKind::event)[0].first;
  hub.vault.lose(hub.ledger.read(event, 1, 1)->front().header.key_id);
  storage::MemoryStateStore fresh;
  for (auto* store : {&fresh, &hub.store}) {
    const auto rows = EngineHarness::rows(*store).size();
    care::State state(*store, hub.ledger, *hub.sealer);
    const auto caught_up = state.catch_up({});
    REQUIRE_FALSE(caught_up.has_value());
    CHECK(caught_up.error().kind == ErrorKind::corrupt);
    CHECK(caught_up.error().text.find("restore the newest vault") != std::string::npos);
    CHECK(EngineHarness::rows(*store).size() == rows);
  }
  CHECK(hub.state->body(event).error().kind == ErrorKind::corrupt);
}

TEST_CASE("progress is told while it catches up, and ends at the head") {
  EngineHarness hub;
  live_a_little(hub);
  storage::MemoryStateStore fresh;
  care::State state(fresh, hub.ledger, *hub.sealer);
  Sequence done = 0;
  Sequence all = 0;
  REQUIRE(state.catch_up([&](Sequence so_far, Sequence of) {
    done = so_far;
    all = of;
  }));
  CHECK(done == hub.ledger.head());
  CHECK(all == hub.ledger.head());
}

TEST_CASE("no row holds a name or a number of a child in clear") {
  EngineHarness hub;
  EventSpec spec;
  auto event = make_event(spec);
  event.person->names.push_back(std::make_unique<event::NameT>());
  event.person->names[0]->family = "Ashdown";
  hub.publish_one(kHospital, item_of(event));
  for (const auto& row : EngineHarness::rows(hub.store)) {
    for (const auto& text : {row.key, row.value}) {
      CHECK(text.find("Ashdown") == std::string::npos);
      CHECK(text.find(test_nhs_number(1)) == std::string::npos);
    }
  }
}

TEST_CASE("an entry is visible to the next read before it is durable, and its body too") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  const auto at = hub.clock.now();
  auto key = hub.vault.mint();
  REQUIRE(key.has_value());
  flatbuffers::FlatBufferBuilder builder;
  ledger::BodyT body;
  ledger::PolicyChangedT policy;
  policy.text = "of tomorrow";
  body.entry.Set(std::move(policy));
  builder.Finish(ledger::Body::Pack(builder, &body));
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  const auto sequence = hub.state->append({storage::EntryKind::policy_changed, *key, bytes}, at);
  CHECK(sequence == hub.ledger.head() + 1);
  CHECK(hub.state->engine_state()->policies.back().text == "of tomorrow");
  CHECK(hub.state->body(sequence)->bytes == bytes);
  CHECK(hub.state->batch_size().entries == 1);
}
