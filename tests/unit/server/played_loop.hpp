#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "broker/care/erasure_search.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/server/loop.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/fake_transport.hpp"

namespace carehub::test {

constexpr ConnectionId kHospital = 1;
constexpr ConnectionId kCouncil = 2;
constexpr std::uint64_t kSeed = 7;

/// The real loop, engine and folds over a network and a disk that the test plays.
struct Played {
  Played() : vault(random), sealer(vault, random) { start(); }
  ~Played() { REQUIRE(ledger.close()); }

  /// Again on the same disk: whoever was connected is not any more.
  void restart() {
    loop.reset();
    engine.reset();
    history.reset();
    state.reset();
    start();
  }
  void start() {
    state = std::make_unique<care::State>(store, ledger, sealer);
    REQUIRE(state->catch_up({}));
    history = std::make_unique<care::History>(*state, ledger, sealer, store, vault,
                                              fakes::EngineHarness::county().agencies);
    engine = std::make_unique<core::Engine>(*state, *state, vault, random);
    core::Decision decision;
    REQUIRE(engine->start(fakes::EngineHarness::county(), *state->engine_state(), clock.now(), decision));
    const auto known = state->engine_state();
    REQUIRE(known);
    history->use_policy(*core::Disclosure::parse_policy(fakes::EngineHarness::county().policy_text,
                                                        "policy.toml", known->policies.back().version));
    server::LoopParts parts{transport, *engine, *state, *history, ledger, sealer, clock, "test"};
    parts.search = [this](std::string person) {
      return std::make_unique<care::ErasureSearch>(ledger, sealer, store, vault, std::move(person));
    };
    loop = std::make_unique<server::Loop>(std::move(parts));
    REQUIRE(loop->begin(std::move(decision)));
    step();
  }

  void step() { REQUIRE(loop->step(0)); }
  void steps(int count) {
    for (int each = 0; each < count; ++each) step();
  }

  void hello(ConnectionId connection, const std::string& agency, Sequence last_receipt = 0) {
    wire::HelloT frame;
    frame.client = "test";
    frame.agency = agency;
    frame.last_receipt = last_receipt;
    transport.put(connection, std::move(frame));
  }
  void publish(int child, std::uint64_t number) {
    wire::PublishT frame;
    fakes::EventSpec spec;
    spec.child = child;
    auto item = std::make_unique<wire::PublishItemT>(fakes::item_of(spec));
    item->number = number;
    frame.items.push_back(std::move(item));
    transport.put(kHospital, std::move(frame));
  }
  void subscribe(std::uint32_t credit = 256) {
    hello(kCouncil, "northmarch-council");
    wire::SubscribeT frame;
    frame.name = "council-duty-desk";
    frame.role = "social-care-duty";
    frame.credit = credit;
    frame.filter = std::make_unique<ledger::FilterT>();
    transport.put(kCouncil, std::move(frame));
    step();
    CHECK(transport.take<wire::SubscribedT>(kCouncil).size() == 1);
  }
  void pass_ms(std::int64_t ms) { clock.advance_ms(ms); }

  fakes::HandClock clock{Timestamp{1'772'355'600'000'000}};
  fakes::SeededRandom random{kSeed};
  storage::MemoryLedger ledger;
  storage::MemoryStateStore store;
  storage::MemoryVault vault;
  storage::Sealer sealer;
  std::unique_ptr<care::State> state;
  std::unique_ptr<care::History> history;
  std::unique_ptr<core::Engine> engine;
  fakes::FakeTransport transport;
  std::unique_ptr<server::Loop> loop;
};

}  // namespace carehub::test
