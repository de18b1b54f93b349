#include "broker/server/questions.hpp"

#include <catch2/catch.hpp>

#include "broker/core/disclosure.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/fake_transport.hpp"

using namespace carehub;
using namespace carehub::server;
using carehub::fakes::EngineHarness;

namespace {

/// Questions to an empty hub's history; what is sent is kept.
struct Asked {
  Asked() {
    REQUIRE(state.catch_up({}));
    const auto rules = EngineHarness::county();
    auto policy = core::Disclosure::parse_policy(rules.policy_text, rules.policy_file, 1);
    REQUIRE(policy);
    history.use_policy(std::move(*policy));
  }
  ~Asked() { REQUIRE(ledger.close()); }

  /// Whether it waits now.
  bool ask(ConnectionId connection, std::uint64_t number) {
    core::Ask ask;
    ask.peer.connection = connection;
    ask.peer.is_operator = true;
    ask.query.number = number;
    ask.query.kind = wire::QueryKind::status;
    return !questions.add(std::move(ask));
  }
  bool answer_one() {
    bool answered = false;
    CHECK_FALSE(questions.advance(answered));
    return answered;
  }

  fakes::SeededRandom random{7};
  storage::MemoryLedger ledger;
  storage::MemoryStateStore store;
  storage::MemoryVault vault{random};
  storage::Sealer sealer{vault, random};
  care::State state{store, ledger, sealer};
  care::History history{state, ledger, sealer, store, vault, EngineHarness::county().agencies};
  fakes::FakeTransport transport;
  Backlog backlog{transport};
  Questions questions{history, ledger, backlog};
};

}  // namespace

TEST_CASE("an asker has a few questions waiting and is told when it is too many") {
  Asked asked;
  for (std::uint64_t number = 1; number <= Questions::kPeerWaitingMax; ++number) CHECK(asked.ask(1, number));
  CHECK_FALSE(asked.ask(1, 9));
  CHECK(asked.ask(2, 1));
  CHECK(asked.answer_one());
  const auto pages = asked.transport.take<wire::PageT>(1);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].number == 1);
  CHECK(pages[0].error == wire::ErrorKind::unknown);
  CHECK(asked.ask(1, 10));
}

TEST_CASE("the hub takes no more questions than it has room for") {
  Asked asked;
  std::size_t taken = 0;
  for (ConnectionId connection = 1; connection <= Questions::kWaitingMax; ++connection) {
    taken += asked.ask(connection, 1) ? 1 : 0;
    taken += asked.ask(connection, 2) ? 1 : 0;
  }
  CHECK(taken == Questions::kWaitingMax);
}

TEST_CASE("an asker that does not read is passed over, and the others are answered") {
  Asked asked;
  asked.transport.limit(1, 0);
  for (std::uint64_t number = 1; number <= 2; ++number) CHECK(asked.ask(1, number));
  CHECK(asked.ask(2, 3));
  CHECK(asked.answer_one());  // it waits for its reader
  CHECK(asked.answer_one());
  CHECK(asked.transport.take<wire::PageT>(2).size() == 1);
  CHECK_FALSE(asked.answer_one());
  asked.transport.unlimit(1);
  CHECK(asked.backlog.flush().empty());
  CHECK(asked.answer_one());
  CHECK(asked.transport.take<wire::PageT>(1).size() == 2);
}

TEST_CASE("the questions of a connection that is gone are forgotten") {
  Asked asked;
  CHECK(asked.ask(1, 1));
  CHECK(asked.ask(2, 1));
  asked.questions.forget(1);
  CHECK(asked.answer_one());
  CHECK_FALSE(asked.answer_one());
  CHECK(asked.transport.sent_count(1) == 0);
}

TEST_CASE("an answer that is looked for in parts lets the others have their turn") {
  EngineHarness hub;
  const auto event =
      hub.publish_one(EngineHarness::peer(1, "elwick-hospital"), fakes::item_of(fakes::EventSpec{})).sequence;
  care::History history{*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies};
  history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, hub.rules.policy_file, 1));
  fakes::FakeTransport transport;
  Backlog backlog{transport};
  Questions questions{history, hub.ledger, backlog};
  const auto ask = [&](ConnectionId connection, wire::QueryKind kind) {
    core::Ask one;
    one.peer = EngineHarness::operator_peer(connection);
    one.query.kind = kind;
    one.query.person = "sequence:" + std::to_string(event);
    one.query.agency = "northmarch-council";
    one.query.at = hub.clock.now().us;
    CHECK_FALSE(questions.add(std::move(one)));
  };
  ask(1, wire::QueryKind::as_of);
  ask(2, wire::QueryKind::status);
  bool answered = false;
  CHECK_FALSE(questions.advance(answered));
  CHECK_FALSE(questions.advance(answered));
  CHECK(transport.sent_count(2) == 1);
  CHECK(transport.sent_count(1) == 0);
  while (answered) CHECK_FALSE(questions.advance(answered));
  CHECK(transport.sent_count(1) == 1);
}
