#include "broker/server/replays.hpp"

#include <catch2/catch.hpp>
#include <deque>

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
  /// From now on the ledger is read ahead, whenever the test says so.
  void read_apart() {
    replays.emplace(
        *history, backlog, [this](std::function<void()> work) { apart.push_back(std::move(work)); },
        [this] { ++woken; });
  }
  void read_all() {
    while (!apart.empty()) {
      apart.front()();
      apart.pop_front();
    }
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
  std::deque<std::function<void()>> apart;
  int woken = 0;
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

TEST_CASE("a replay at full speed is read ahead on another thread, and sends when that has read") {
  Replayed past(30);
  past.read_apart();
  REQUIRE(past.start(kReader, 0));
  CHECK(past.sent_at(1) == 0);
  REQUIRE(past.apart.size() == 1);
  past.read_all();
  CHECK(past.woken == 1);
  // The next stretch is asked for before this one is sent; it has nothing, and so that was all.
  CHECK(past.sent_at(1) == 30);
  CHECK(past.last);
  CHECK(past.replays->empty());
}

TEST_CASE("what was published after it was read ahead is replayed, too") {
  Replayed past(3);
  past.read_apart();
  REQUIRE(past.start(kReader, 0));
  CHECK(past.sent_at(1) == 0);
  past.read_all();
  EventSpec spec;
  spec.child = 4;
  past.hub.publish_one(kHospital, item_of(spec));
  std::size_t sent = 0;
  for (int turn = 0; turn < 9 && !past.last; ++turn) {
    sent += past.sent_at(1);
    past.read_all();
  }
  CHECK(past.last);
  CHECK(sent == 4);
}

TEST_CASE("what was read ahead is not shown after an Erasure") {
  Replayed past(5);
  past.read_apart();
  REQUIRE(past.start(kReader, 0));
  CHECK(past.sent_at(1) == 0);
  past.read_all();
  std::vector<KeyId> keys;
  const auto entries = past.hub.ledger.read(1, 100, limits::kBatchBytesMax);
  for (const auto& entry : *entries) {
    if (entry.header.kind == storage::EntryKind::event) keys.push_back(entry.header.key_id);
  }
  REQUIRE(keys.size() == 5);
  past.hub.sealer->withdraw({keys[1], keys[3]});
  CHECK(past.sent_at(1) == 3);
}

TEST_CASE("only a few replays are read ahead, and none that waits for its rate or only counts") {
  Replayed past(10);
  past.read_apart();
  REQUIRE(past.start(kReader, 600));
  CHECK(past.sent_at(1'000 * kSecondUs) == 10);
  CHECK(past.apart.empty());
  for (ConnectionId connection = 20; connection < 20 + Replays::kAheadMax + 2; ++connection)
    REQUIRE(past.start(connection, 0));
  CHECK(past.sent_at(1'000 * kSecondUs, 20 + Replays::kAheadMax) == 10);  // which reads for itself
  CHECK(past.apart.size() == Replays::kAheadMax);
  past.replays->forget(20);
  past.read_all();
  CHECK(past.sent_at(1'000 * kSecondUs, 21) == 10);
  CHECK(past.transport.sent_count(20) == 0);
}
