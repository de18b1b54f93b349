#include "broker/server/erasures.hpp"

#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;
using server::Erasures;

namespace {

core::AskErasure ask(ConnectionId connection, int child) {
  core::AskErasure asked;
  asked.peer = EngineHarness::operator_peer(connection);
  asked.erase.person = Erasing::name(child);
  return asked;
}

struct Searching : Erasing {
  Erasures erasures{*hub.engine, [this](std::string person) {
                      return std::make_unique<care::ErasureSearch>(hub.ledger, *hub.sealer, hub.store,
                                                                   hub.vault, std::move(person));
                    }};
  /// Until something is decided.
  core::Decision next() {
    REQUIRE(hub.state->flush());
    core::Decision decision;
    for (int part = 0; part < 100 && decision.sends.empty() && decision.destructions.empty(); ++part) {
      REQUIRE(erasures.advance(hub.clock.now(), decision));
    }
    return decision;
  }
};

}  // namespace

TEST_CASE("searches are made one after the other, in the order in which they were asked for") {
  Searching of;
  CHECK(!of.erasures.active());
  CHECK(of.next().destructions.empty());
  CHECK(!of.erasures.start(ask(1, 1)));
  CHECK(!of.erasures.start(ask(2, 2)));
  const auto first = of.next();
  REQUIRE(first.destructions.size() == 1);
  CHECK(first.destructions[0].peer.connection == 1);
  CHECK(first.destructions[0].answer.events == 3);
  CHECK(of.next().destructions.at(0).peer.connection == 2);
  CHECK(!of.erasures.active());
}

TEST_CASE("a search ends with its connection, and too many at once are refused") {
  Searching of;
  for (std::size_t at = 0; at < Erasures::kWaitingMax; ++at) CHECK(!of.erasures.start(ask(at + 1, 1)));
  CHECK(of.erasures.start(ask(99, 1)));
  core::Decision decision;
  REQUIRE(of.erasures.advance(of.hub.clock.now(), decision));
  of.erasures.forget(1);
  CHECK(of.next().destructions.at(0).peer.connection == 2);
  CHECK(Erasures(*of.hub.engine, {}).start(ask(1, 1)));
}

TEST_CASE("a search that fails is answered with why") {
  Searching of;
  auto wrong = ask(1, 1);
  wrong.erase.person = "nhs:1";
  CHECK(!of.erasures.start(wrong));
  CHECK(of.next().sends.size() == 1);
}

TEST_CASE("keys are destroyed once that may be, and who asked is told") {
  Searching of;
  CHECK(!of.erasures.start(ask(1, 1)));
  auto decided = of.next();
  REQUIRE(decided.destructions.size() == 1);
  CHECK(of.opens(of.of_one[0]));
  CHECK(!of.erasures.destroy(decided.destructions[0], of.hub.clock.now()).empty());
  CHECK(!of.opens(of.of_one[0]));
  of.erasures.try_again(of.hub.clock.now());
}

TEST_CASE("what a start finishes is what the vault still has of erased keys, once") {
  Searching of;
  of.erase(Erasing::name(1), false, false);
  of.hub.restart();
  CHECK(server::finish_erasures(*of.hub.state, of.hub.vault).value() == 2);
  CHECK(server::finish_erasures(*of.hub.state, of.hub.vault).value() == 0);
  for (const auto sequence : of.of_one) CHECK(!of.opens(sequence));
  for (const auto sequence : of.of_two) CHECK(of.opens(sequence));
}
