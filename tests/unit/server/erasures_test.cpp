#include "broker/server/erasures.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <future>

#include "tests/fakes/erasing.hpp"
#include "tests/unit/server/played_loop.hpp"
#include "tests/unit/server/running_hub.hpp"

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

TEST_CASE("who waits for a search is told every second how far it is, and nothing before the first is over") {
  Searching of;
  std::vector<wire::PublishItemT> items;
  EventSpec spec;
  for (spec.child = 100; spec.child < 1100; ++spec.child) items.push_back(item_of(spec));
  of.hub.publish(of.hospital, std::move(items));
  REQUIRE(of.hub.state->flush());
  auto first = ask(1, 1);
  first.erase.number = 31;
  CHECK(!of.erasures.start(first));
  auto second = ask(2, 2);
  second.erase.number = 32;
  CHECK(!of.erasures.start(second));
  core::Decision quick;
  REQUIRE(of.erasures.advance(of.hub.clock.now(), quick));
  REQUIRE(of.erasures.advance(of.hub.clock.now(), quick));
  CHECK(quick.sends.empty());
  of.hub.clock.advance_ms(1'000);
  core::Decision told;
  REQUIRE(of.erasures.advance(of.hub.clock.now(), told));
  REQUIRE(told.sends.size() == 2);
  std::vector<wire::BackedUpT> far;
  for (const auto& send : told.sends) {
    const auto* frame = flatbuffers::GetRoot<wire::Frame>(send.frame.data());
    REQUIRE(frame->message_as_BackedUp() != nullptr);
    frame->message_as_BackedUp()->UnPackTo(&far.emplace_back());
  }
  CHECK(told.sends[0].to == 1);
  CHECK(far[0].number == 31);
  CHECK(far[0].text == "searching the ledger, entries");
  CHECK(far[0].done >= 512);
  CHECK(far[0].done < far[0].all);
  CHECK(far[0].all == of.hub.state->head());
  CHECK(!far[0].last);
  CHECK(told.sends[1].to == 2);
  CHECK(far[1].number == 32);
  CHECK_THAT(far[1].text, Catch::StartsWith("another erasure is first"));
  CHECK(of.next().destructions.size() == 1);
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

TEST_CASE("what waits for a slow reader does not leave any more once its child is erased on record") {
  constexpr ConnectionId kOperator = 9;
  test::Played played;
  played.hello(test::kHospital, "elwick-hospital");
  played.hello(kOperator, "");
  played.subscribe();
  played.transport.limit(test::kCouncil, 0);
  played.publish(1, 1);
  played.publish(2, 2);
  played.steps(3);
  wire::EraseT erase;
  erase.number = 1;
  erase.person = "nhs:" + test_nhs_number(1);
  erase.by = "A Person";
  erase.reason = "asked for by the family";
  played.transport.put(kOperator, std::move(erase));
  const auto told = [&] {
    played.pass_ms(10);
    played.step();
    return played.transport.take<wire::ErasedT>(kOperator).size() == 1;
  };
  REQUIRE(test::eventually(told));
  played.transport.unlimit(test::kCouncil);
  CHECK(played.transport.closed(test::kCouncil));
  CHECK(played.transport.take<wire::DeliverT>(test::kCouncil).empty());
  played.subscribe();
  played.steps(3);
  auto left = played.transport.take<wire::DeliverT>(test::kCouncil);
  REQUIRE(left.size() == 1);
  CHECK(left.front().deliveries.size() == 1);
}

TEST_CASE("a child that is asked for twice at once is erased once") {
  constexpr ConnectionId kOperator = 9;
  test::Played played;
  played.hello(test::kHospital, "elwick-hospital");
  played.hello(kOperator, "");
  played.publish(1, 1);
  played.steps(2);
  for (std::uint64_t number = 1; number <= 2; ++number) {
    wire::EraseT erase;
    erase.number = number;
    erase.person = "nhs:" + test_nhs_number(1);
    erase.by = "A Person";
    erase.reason = "asked for by the family";
    played.transport.put(kOperator, std::move(erase));
  }
  played.step();
  played.ledger.hold();  // the second search begins before the first Erasure is in the state's rows
  played.steps(4);
  played.ledger.release();
  std::vector<wire::ErasedT> told;
  REQUIRE(test::eventually([&] {
    played.pass_ms(10);
    played.step();
    for (auto& each : played.transport.take<wire::ErasedT>(kOperator)) told.push_back(std::move(each));
    return told.size() == 2;
  }));
  std::ranges::sort(told, {}, &wire::ErasedT::number);
  CHECK(told[0].complete);
  CHECK(told[1].error == wire::ErrorKind::not_found);
}
