#include "broker/core/refused_questions.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Asking {
  EngineHarness hub;
  core::DayKeys day_keys{*hub.state, hub.vault};
  core::RefusedQuestions refused{*hub.state, day_keys};
  std::size_t written = 0;

  void ask(const core::Peer& peer) {
    ledger::AccessT access;
    access.verb = "timeline";
    REQUIRE(refused.add(peer, std::move(access), hub.clock.now()));
    take();
  }
  Timestamp pass(std::int64_t us) {
    hub.clock.set({hub.clock.now().us + us});
    auto due = refused.advance(hub.clock.now());
    REQUIRE(due);
    take();
    return *due;
  }
  void take() { written += hub.state->take_batch().size(); }
};

}  // namespace

TEST_CASE("each client's refused questions are told apart, one a minute, and the rest are counted") {
  Asking asking;
  const auto council = EngineHarness::peer(2, "northmarch-council");
  asking.ask(council);
  asking.ask(council);
  // Another connection of the same client is no other client.
  asking.ask(EngineHarness::peer(7, "northmarch-council"));
  CHECK(asking.written == 1);
  asking.ask(EngineHarness::peer(3, "holm-school"));
  CHECK(asking.written == 2);
  const auto due = asking.pass(kSecondUs);
  CHECK(asking.written == 2);
  CHECK(due.us == asking.hub.clock.now().us - kSecondUs + core::RefusedQuestions::kApartUs);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.written == 3);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.written == 3);
}

TEST_CASE("more clients than anybody has are not kept in mind") {
  Asking asking;
  for (std::size_t i = 0; i < core::RefusedQuestions::kClientsMax + 10; ++i)
    asking.ask(EngineHarness::peer(1, "agency-" + std::to_string(i)));
  CHECK(asking.written == core::RefusedQuestions::kClientsMax);
}
