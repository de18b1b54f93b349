#include "broker/server/erasures.hpp"

#include <catch2/catch.hpp>
#include <future>

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
  Erasures erasures{*hub.engine, *hub.state, [this](std::string person) {
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
  CHECK(Erasures(*of.hub.engine, *of.hub.state, {}).start(ask(1, 1)));
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
  const auto key = of.hub.ledger.read(of.of_one[0], 1, 1)->front().header.key_id;
  CHECK(of.hub.vault.key(key));
  CHECK(!of.erasures.destroy(decided.destructions[0], of.hub.clock.now()));
  CHECK(!of.hub.vault.key(key));
  of.erasures.try_again(of.hub.clock.now());
  core::Decision told;
  REQUIRE(of.erasures.advance(of.hub.clock.now(), told));
  CHECK(told.sends.size() == 1);
}

TEST_CASE("copies of the vault are looked for on another thread, which wakes the hub") {
  Searching of;
  std::promise<void> woken;
  Erasures erasures(*of.hub.engine, *of.hub.state, {}, [&] { woken.set_value(); });
  CHECK(!of.erasures.start(ask(1, 1)));
  auto decided = of.next();
  CHECK(!erasures.destroy(decided.destructions.at(0), of.hub.clock.now()));
  woken.get_future().wait();
  core::Decision told;
  REQUIRE(erasures.advance(of.hub.clock.now(), told));
  CHECK(told.sends.size() == 1);
}

TEST_CASE("when the keys are gone the power may go: the state on disk has no rows of theirs") {
  Searching of;
  REQUIRE(of.hub.state->flush());
  REQUIRE(of.hub.store.sync());
  CHECK(!of.erasures.start(ask(1, 1)));
  auto decided = of.next();
  of.hub.step();
  REQUIRE(of.hub.state->flush());
  CHECK(!of.erasures.destroy(decided.destructions.at(0), of.hub.clock.now()));
  of.hub.restart(0);
  of.check_rebuilt();
}

TEST_CASE("where the state cannot be synced no key is destroyed") {
  Searching of;
  CHECK(!of.erasures.start(ask(1, 1)));
  auto decided = of.next();
  of.hub.step();
  REQUIRE(of.hub.store.close());
  const auto key = of.hub.ledger.read(of.of_one[0], 1, 1)->front().header.key_id;
  CHECK(of.erasures.destroy(decided.destructions.at(0), of.hub.clock.now()));
  CHECK(of.hub.vault.key(key));
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
