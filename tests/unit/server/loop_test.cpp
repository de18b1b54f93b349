#include "broker/server/loop.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "tests/unit/server/played_loop.hpp"

using namespace carehub;
using namespace carehub::server;
using carehub::test::kCouncil;
using carehub::test::kHospital;
using carehub::test::kSeed;
using carehub::test::Played;

TEST_CASE("no receipt and no delivery leaves before its batch is durable") {
  Played hub;
  hub.subscribe();
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hub.ledger.hold();
  hub.publish(1, 11);
  hub.steps(3);
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).empty());
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).empty());
  const Sequence before = hub.ledger.head();

  hub.ledger.release();
  hub.step();
  const auto published = hub.transport.take<wire::PublishedT>(kHospital);
  REQUIRE(published.size() == 1);
  CHECK(published[0].outcomes[0]->outcome == wire::Outcome::receipt);
  CHECK(published[0].outcomes[0]->number == 11);
  CHECK(published[0].outcomes[0]->sequence == before + 1);
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).size() == 1);
}

TEST_CASE("while one batch syncs the next is decided, and then nothing more is taken in") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hub.ledger.hold();
  for (int child = 1; child <= 4; ++child) {
    hub.publish(child, static_cast<std::uint64_t>(child));
    hub.step();
  }
  CHECK(hub.ledger.held() == limits::kUnsyncedBatchesMax + 1);
  CHECK(hub.transport.waiting() == 2);

  hub.ledger.release_one();
  hub.step();
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).size() == 1);
  CHECK(hub.transport.waiting() == 0);
  hub.ledger.release();
  hub.steps(2);
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).size() == 3);
}

TEST_CASE("an answer that needs no entry of its own waits for the entries before it") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  hub.transport.take<wire::PublishedT>(kHospital);
  hub.ledger.hold();
  hub.publish(2, 2);
  hub.step();
  wire::PublishT again;
  fakes::EventSpec spec;
  spec.child = 2;
  hub.publish(2, 3);  // another id, so another event: an entry that has to wait for the one before
  hub.step();
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).empty());
  hub.ledger.release_one();
  hub.step();
  const auto first = hub.transport.take<wire::PublishedT>(kHospital);
  REQUIRE(first.size() == 1);
  CHECK(first[0].outcomes[0]->number == 2);
}

TEST_CASE("after a failed sync nothing leaves and nothing is taken in") {
  Played hub;
  hub.subscribe();
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hub.ledger.hold();
  hub.publish(1, 1);
  hub.step();
  hub.ledger.fail_sync();
  const auto failed = hub.loop->step(0);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == ErrorKind::unavailable);
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).empty());
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).empty());
  hub.publish(2, 2);
  CHECK_FALSE(hub.loop->step(0));
  CHECK(hub.transport.waiting() == 1);
  CHECK_FALSE(hub.loop->drain());
}

TEST_CASE("a stop does not blame the ledger for a state store that is late, and says Goodbye") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  std::deque<std::function<void()>> writes;
  hub.state->set_pace({1, [&](std::function<void()> work) { writes.push_back(std::move(work)); }, {}});
  hub.publish(1, 1);
  hub.steps(2);
  REQUIRE(!writes.empty());
  hub.transport.on_wait([&] { hub.pass_ms(100); });
  CHECK(hub.loop->drain());
  CHECK(hub.transport.take<wire::GoodbyeT>(kHospital).size() == 1);
  for (auto& write : writes) write();
}

TEST_CASE("a client with a receipt that this ledger lacks stops the hub") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital", hub.ledger.head() + 1);
  const auto stopped = hub.loop->step(0);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::corrupt);
  CHECK(stopped.error().text.find("entries are missing") != std::string::npos);
}

TEST_CASE("a client elsewhere that claims a receipt that this ledger lacks is refused, and the hub goes on") {
  Played hub;
  constexpr ConnectionId kElsewhere = 5;
  hub.transport.authenticate(kElsewhere, "holm-school");
  hub.hello(kElsewhere, "", std::uint64_t{1} << 63U);
  hub.step();
  const auto rejected = hub.transport.take<wire::RejectedT>(kElsewhere);
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].kind == wire::ErrorKind::corrupt);
  CHECK(rejected[0].closing);
  CHECK(hub.transport.take<wire::WelcomeT>(kElsewhere).empty());
  CHECK(hub.transport.closed(kElsewhere));
  CHECK(hub.loop->statistics().alarms == 1);

  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).size() == 1);
}

TEST_CASE("a client whose last receipt is there is welcome") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital", hub.ledger.head());
  hub.step();
  const auto welcomed = hub.transport.take<wire::WelcomeT>(kHospital);
  REQUIRE(welcomed.size() == 1);
  CHECK(welcomed[0].head == hub.ledger.head());
  CHECK(welcomed[0].hub == "test");
}

TEST_CASE("what is no frame is answered with a reason and counted, and others do not notice") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  constexpr ConnectionId kBad = 9;
  const auto rejected = [&](Bytes bytes) {
    hub.transport.put_bytes(kBad, std::move(bytes));
    hub.step();
    const auto found = hub.transport.take<wire::RejectedT>(kBad);
    REQUIRE(found.size() == 1);
    return found[0].text;
  };
  CHECK(rejected({}).find("not a frame") != std::string::npos);
  CHECK(rejected(Bytes(100, 0xFF)).find("not a frame") != std::string::npos);
  Bytes cut = frame_bytes(wire::HelloT{});
  cut.resize(cut.size() / 2);
  CHECK(rejected(cut).find("not a frame") != std::string::npos);
  CHECK(rejected(frame_bytes(wire::HeartbeatT{})).find("Hello first") != std::string::npos);
  CHECK(hub.transport.closed(kBad));

  wire::FrameT newer;
  newer.minor = 1;
  newer.message.Set(wire::HeartbeatT{});
  flatbuffers::FlatBufferBuilder builder;
  wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, &newer));
  CHECK(rejected(finished_bytes(builder)).find("version 1.0") != std::string::npos);

  builder.Clear();
  const auto table = builder.EndTable(builder.StartTable());
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, 1, 0, static_cast<wire::Message>(200),
                                                     flatbuffers::Offset<void>(table)));
  hub.hello(kBad, "holm-school");
  CHECK(rejected(finished_bytes(builder)).find("does not know that verb") != std::string::npos);
  CHECK(rejected(frame_bytes(wire::WelcomeT{})).find("does not know that verb") != std::string::npos);
  CHECK(rejected(frame_bytes(wire::UnsubscribeT{})).find("no such subscription") != std::string::npos);
  CHECK(hub.loop->statistics().frames_refused == 8);

  hub.publish(1, 1);
  hub.step();
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).size() == 1);
}

TEST_CASE("a random frame never harms the loop") {
  Played hub;
  fakes::SeededRandom random(kSeed);
  CAPTURE(kSeed);
  wire::PublishT publish;
  publish.items.push_back(std::make_unique<wire::PublishItemT>(fakes::item_of(fakes::EventSpec{})));
  const Bytes good = frame_bytes(std::move(publish));
  for (ConnectionId connection = 100; connection < 2100; ++connection) {
    hub.hello(connection, "elwick-hospital");
    Bytes bad = good;
    std::array<std::uint8_t, 8> dice{};
    random.fill(dice);
    for (int each = 0; each < 4; ++each) {
      const auto at =
          static_cast<std::size_t>(dice[0] * 256U * 7U + dice[1] + static_cast<unsigned>(each) * 131U);
      bad[at % bad.size()] = dice[2 + static_cast<std::size_t>(each)];
    }
    hub.transport.put_bytes(connection, std::move(bad));
    hub.step();
    hub.transport.put_gone(connection);
  }
  hub.steps(20);
  CHECK(hub.loop->statistics().connections == 0);
}

TEST_CASE("over TCP the key decides the agency, and a false claim is refused") {
  Played hub;
  hub.transport.authenticate(5, "holm-school");
  hub.hello(5, "elwick-hospital");
  hub.step();
  const auto rejected = hub.transport.take<wire::RejectedT>(5);
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].kind == wire::ErrorKind::denied);
  CHECK(rejected[0].closing);
  CHECK(hub.transport.closed(5));

  hub.transport.authenticate(6, "holm-school");
  hub.hello(6, "");
  wire::PublishT frame;
  frame.items.push_back(std::make_unique<wire::PublishItemT>(fakes::item_of(fakes::EventSpec{})));
  hub.transport.put(6, std::move(frame));
  hub.step();
  const auto published = hub.transport.take<wire::PublishedT>(6);
  REQUIRE(published.size() == 1);
  CHECK(published[0].outcomes[0]->outcome == wire::Outcome::refused);
}

TEST_CASE("peers that say nothing are let go, peers that speak are kept, and both hear from the hub") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.hello(kCouncil, "northmarch-council");
  hub.step();
  for (std::uint32_t ms = 0; ms <= limits::kPeerSilenceMs + 1'000; ms += 500) {
    hub.pass_ms(500);
    hub.transport.put(kHospital, wire::HeartbeatT{});
    hub.step();
  }
  CHECK(hub.loop->statistics().connections == 1);
  CHECK(hub.transport.closed(kCouncil));
  CHECK_FALSE(hub.transport.closed(kHospital));
  CHECK(hub.transport.take<wire::HeartbeatT>(kHospital).size() >= 4);
}

TEST_CASE("timers run on while the clock on the wall stands an hour ahead or goes back") {
  Played hub;
  hub.subscribe();
  hub.hello(kHospital, "elwick-hospital");
  const Timestamp before = hub.clock.now();
  hub.clock.set({before.us + 3'600 * kSecondUs});
  hub.publish(1, 1);
  hub.step();
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).size() == 1);
  CHECK_FALSE(hub.transport.closed(kCouncil));
  hub.clock.set({before.us - 3'600 * kSecondUs});
  // Nobody speaks any more. Timers run at half their pace at least until the two clocks agree again.
  for (std::uint32_t ms = 0; ms <= 2 * limits::kPeerSilenceMs + 2'000; ms += 500) {
    hub.pass_ms(500);
    hub.step();
  }
  CHECK(hub.transport.closed(kCouncil));
  CHECK(hub.transport.closed(kHospital));
}

TEST_CASE("a delivery times out where the newest entry lies in the future") {
  Played hub;
  hub.clock.advance_ms(86'400'000);
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  const auto first = hub.transport.take<wire::PublishedT>(kHospital);
  REQUIRE(first.size() == 1);
  hub.clock.set({hub.clock.now().us - 86'400 * kSecondUs});
  hub.restart();
  hub.subscribe();
  REQUIRE(hub.transport.take<wire::DeliverT>(kCouncil).size() == 1);
  // The delivery is not answered: it comes again when its time is over.
  for (std::uint32_t ms = 0; ms <= limits::kAckWaitMs + limits::kBackoffMaxMs; ms += 1'000) {
    hub.pass_ms(1'000);
    hub.transport.put(kCouncil, wire::HeartbeatT{});
    hub.step();
  }
  CHECK_FALSE(hub.transport.take<wire::DeliverT>(kCouncil).empty());
  // Entries are stamped no earlier than those before them all the same.
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(2, 2);
  hub.step();
  const auto second = hub.transport.take<wire::PublishedT>(kHospital);
  REQUIRE(second.size() == 1);
  CHECK(second[0].outcomes[0]->appended_at >= first[0].outcomes[0]->appended_at);
}

TEST_CASE("a lost subscriber gets again what it had not answered") {
  Played hub;
  hub.subscribe();
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).size() == 1);
  hub.transport.put_gone(kCouncil);
  hub.step();
  constexpr ConnectionId kAgain = 3;
  hub.hello(kAgain, "northmarch-council");
  wire::SubscribeT frame;
  frame.name = "council-duty-desk";
  frame.role = "social-care-duty";
  frame.credit = 10;
  frame.filter = std::make_unique<ledger::FilterT>();
  hub.transport.put(kAgain, std::move(frame));
  hub.steps(2);
  const auto again = hub.transport.take<wire::DeliverT>(kAgain);
  REQUIRE(again.size() == 1);
  CHECK(again[0].deliveries.size() == 1);
}

TEST_CASE("who loses a subscription to a newer connection is told which one") {
  Played hub;
  hub.subscribe();
  constexpr ConnectionId kNewer = 3;
  hub.hello(kNewer, "northmarch-council");
  wire::SubscribeT frame;
  frame.name = "council-duty-desk";
  frame.credit = 10;
  hub.transport.put(kNewer, std::move(frame));
  hub.step();
  CHECK(hub.transport.take<wire::SubscribedT>(kNewer).size() == 1);
  const auto rejected = hub.transport.take<wire::RejectedT>(kCouncil);
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].kind == wire::ErrorKind::conflict);
  CHECK(rejected[0].subscription == "council-duty-desk");
  CHECK_FALSE(rejected[0].closing);
}

TEST_CASE("a peer that does not read is let go before its frames fill the memory") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hub.transport.limit(kHospital, 0);
  std::size_t held_max = 0;
  for (std::uint64_t number = 1; number < 400'000 && !hub.transport.closed(kHospital); ++number) {
    wire::QueryT query;
    query.number = number;
    query.kind = wire::QueryKind::timeline;
    query.person = std::string(500, 'x');  // a question that is refused with a frame
    hub.transport.put(kHospital, std::move(query));
    if (number % 200 == 0) hub.step();
    held_max = std::max<std::size_t>(held_max, hub.loop->statistics().sends_held_back);
  }
  CHECK(hub.transport.closed(kHospital));
  CHECK(held_max > 1'000);
  CHECK(hub.loop->statistics().sends_held_back == 0);
}

TEST_CASE("a burst waits for a peer that reads in its own time, and arrives in order") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hub.transport.limit(kHospital, 1);
  for (std::uint64_t number = 1; number <= 20; ++number) hub.publish(static_cast<int>(number), number);
  hub.steps(3);
  CHECK(hub.loop->statistics().sends_held_back == 19);
  hub.transport.unlimit(kHospital);
  hub.step();
  const auto published = hub.transport.take<wire::PublishedT>(kHospital);
  REQUIRE(published.size() == 20);
  for (std::size_t at = 0; at < published.size(); ++at) CHECK(published[at].outcomes[0]->number == at + 1);
}

TEST_CASE("questions are answered one a step, and who asks too many at once is told so") {
  Played hub;
  constexpr ConnectionId kOperator = 4;
  hub.hello(kOperator, "");
  hub.step();
  constexpr std::uint64_t kAsked = Questions::kPeerWaitingMax + 2;
  for (std::uint64_t number = 1; number <= kAsked; ++number) {
    wire::QueryT query;
    query.number = number;
    query.kind = wire::QueryKind::status;
    query.by = "duty officer";
    query.reason = "the test";
    hub.transport.put(kOperator, std::move(query));
  }
  hub.step();
  std::vector<std::uint64_t> refused;
  std::vector<std::uint64_t> answered;
  const auto read = [&] {
    for (const auto& page : hub.transport.take<wire::PageT>(kOperator)) {
      (page.error == wire::ErrorKind::overloaded ? refused : answered).push_back(page.number);
    }
  };
  read();
  CHECK(refused == std::vector<std::uint64_t>{5, 6});
  CHECK(answered == std::vector<std::uint64_t>{1});
  hub.step();
  read();
  CHECK(answered == std::vector<std::uint64_t>{1, 2});
  hub.steps(3);
  read();
  CHECK(answered == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("a peer that does not read holds no Goodbye up, and the disk is not blamed for it") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.hello(kCouncil, "northmarch-council");
  hub.step();
  hub.transport.limit(kHospital, 0);
  hub.publish(1, 1);
  hub.step();
  CHECK(hub.loop->statistics().sends_held_back == 1);
  hub.transport.on_wait([&hub] { hub.pass_ms(100); });
  REQUIRE(hub.loop->drain());
  CHECK(hub.transport.closed(kHospital));
  CHECK(hub.transport.take<wire::GoodbyeT>(kCouncil).size() == 1);
}

TEST_CASE("draining finishes what was taken in and says Goodbye") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.publish(1, 1);
  hub.step();
  REQUIRE(hub.loop->drain());
  CHECK(hub.transport.take<wire::PublishedT>(kHospital).size() == 1);
  CHECK(hub.transport.take<wire::GoodbyeT>(kHospital).size() == 1);
  CHECK_FALSE(hub.loop->step(0));
}
