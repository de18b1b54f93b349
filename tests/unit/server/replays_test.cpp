#include "broker/server/replays.hpp"

#include <catch2/catch.hpp>

#include "broker/core/disclosure.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/fake_transport.hpp"

using namespace carehub;
using namespace carehub::fakes;
using namespace carehub::server;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
constexpr ConnectionId kReader = 7;
constexpr ConnectionId kOther = 8;

/// A ledger with admissions of so many children, and replays of it that a test times by hand.
struct Replayed {
  explicit Replayed(int children) {
    for (int child = 1; child <= children; ++child) {
      EventSpec spec;
      spec.child = child;
      hub.publish_one(kHospital, item_of(spec));
    }
    history = std::make_unique<care::History>(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault,
                                              hub.rules.agencies);
    history->use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    replays.emplace(*history, backlog);
  }

  bool start(ConnectionId connection, std::uint32_t rate_per_minute, std::uint64_t number = 1) {
    core::AskReplay ask;
    ask.peer = EngineHarness::operator_peer(connection);
    ask.replay.number = number;
    ask.replay.role = "auditor";
    ask.replay.first = 1;
    ask.replay.rate_per_minute = rate_per_minute;
    return !replays->start(std::move(ask));
  }
  /// How many deliveries leave at this time, until no more would.
  std::size_t sent_at(std::int64_t us, ConnectionId connection = kReader) {
    bool sent = true;
    while (sent) CHECK_FALSE(replays->advance({us}, sent));
    std::size_t deliveries = 0;
    for (const auto& frame : transport.take<wire::ReplayedT>(connection)) {
      deliveries += frame.deliveries.size();
      last = last || frame.last;
    }
    return deliveries;
  }

  EngineHarness hub;
  std::unique_ptr<care::History> history;
  FakeTransport transport;
  Backlog backlog{transport};
  std::optional<Replays> replays;
  bool last = false;
};

}  // namespace

TEST_CASE("a streamed replay keeps to its rate: a second's worth at once, and then each in its time") {
  Replayed past(40);
  REQUIRE(past.start(kReader, 600));
  constexpr std::int64_t kStart = 1'000 * kSecondUs;
  CHECK(past.sent_at(kStart) == 11);
  CHECK(past.sent_at(kStart) == 0);
  CHECK(past.sent_at(kStart + kSecondUs / 10 - 1) == 0);
  CHECK(past.sent_at(kStart + kSecondUs / 10) == 1);
  CHECK(past.sent_at(kStart + kSecondUs / 5) == 1);
  // Time that nobody used is lost, but for a second's worth.
  CHECK(past.sent_at(kStart + 600 * kSecondUs) == 11);
  CHECK_FALSE(past.last);
  std::size_t rest = 0;
  for (std::int64_t second = 601; !past.last && second < 700; ++second) {
    const auto sent = past.sent_at(kStart + second * kSecondUs + kSecondUs / 10);
    CHECK(sent <= 11);
    rest += sent;
  }
  CHECK(past.last);
  CHECK(rest == 16);
  CHECK(past.replays->empty());
}

TEST_CASE("a reader that waits long for its rate hears that the hub is there") {
  Replayed past(3);
  REQUIRE(past.start(kReader, 1));
  constexpr std::int64_t kStart = 1'000 * kSecondUs;
  CHECK(past.sent_at(kStart) == 1);
  CHECK(past.transport.sent_count(kReader) == 0);
  CHECK_FALSE(past.replays->advance({kStart + 6 * kSecondUs}, past.last));
  const auto frames = past.transport.take<wire::ReplayedT>(kReader);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].deliveries.empty());
  CHECK_FALSE(frames[0].last);
  CHECK(frames[0].next > 1);
}

TEST_CASE("a replay without a rate waits for nobody's, and one that does not read holds up no other") {
  Replayed past(30);
  past.transport.limit(kReader, 0);
  REQUIRE(past.start(kReader, 0));
  REQUIRE(past.start(kOther, 0));
  CHECK(past.sent_at(1, kOther) == 30);
  CHECK(past.transport.sent_count(kReader) == 0);
  past.transport.unlimit(kReader);
  CHECK(past.backlog.flush().empty());
  CHECK(past.sent_at(1) == 30);
}

TEST_CASE("a peer has a few replays at once and is told when it is too many") {
  Replayed past(1);
  for (std::uint64_t number = 1; number <= Replays::kPeerActiveMax; ++number)
    CHECK(past.start(kReader, 1, number));
  CHECK_FALSE(past.start(kReader, 1, 9));
  CHECK(past.start(kOther, 1));
  past.replays->forget(kReader);
  CHECK(past.start(kReader, 1));
}
