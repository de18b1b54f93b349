#include "broker/server/pushback.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "broker/base/limits.hpp"
#include "tests/unit/server/played_loop.hpp"

using namespace carehub;
using namespace carehub::server;
using carehub::test::kCouncil;
using carehub::test::kHospital;
using carehub::test::Played;

namespace {

constexpr ConnectionId kOne = 1;
constexpr ConnectionId kOther = 2;

Bytes publish_of(const std::vector<std::uint64_t>& numbers) {
  wire::PublishT publish;
  for (const auto number : numbers) {
    publish.items.push_back(std::make_unique<wire::PublishItemT>());
    publish.items.back()->number = number;
  }
  return frame_bytes(std::move(publish));
}

struct Told {
  Pushback pushback;
  Timestamp now{1};

  /// How many items of the frame were told to come again.
  std::size_t tell(ConnectionId connection, const std::vector<std::uint64_t>& numbers, bool full) {
    const Bytes frame = publish_of(numbers);
    const auto answer =
        pushback.answer(connection, *wire::GetFrame(frame.data())->message_as_Publish(), full, now);
    if (!answer) return 0;
    const auto* published = wire::GetFrame(answer->data())->message_as_Published();
    for (std::size_t at = 0; at < numbers.size(); ++at) {
      const auto* outcome = published->outcomes()->Get(static_cast<flatbuffers::uoffset_t>(at));
      CHECK(outcome->number() == numbers[at]);
      CHECK(outcome->outcome() == wire::Outcome::failed);
      CHECK(outcome->kind() == wire::ErrorKind::overloaded);
    }
    return published->outcomes()->size();
  }
};

/// A hub whose disk hangs, with two batches under way and a third item that nobody may decide about.
void hang(Played& hub) {
  hub.ledger.hold();
  for (int child = 1; child <= 3; ++child) {
    hub.publish(child, static_cast<std::uint64_t>(child));
    hub.step();
  }
  REQUIRE(hub.transport.waiting() == 1);
}

std::vector<std::uint64_t> overloaded(Played& hub) {
  std::vector<std::uint64_t> numbers;
  for (const auto& published : hub.transport.take<wire::PublishedT>(kHospital)) {
    for (const auto& outcome : published.outcomes) {
      CHECK(outcome->outcome == wire::Outcome::failed);
      CHECK(outcome->kind == wire::ErrorKind::overloaded);
      numbers.push_back(outcome->number);
    }
  }
  return numbers;
}

std::vector<std::uint64_t> receipts(Played& hub) {
  std::vector<std::uint64_t> numbers;
  for (const auto& published : hub.transport.take<wire::PublishedT>(kHospital)) {
    for (const auto& outcome : published.outcomes) {
      CHECK(outcome->outcome == wire::Outcome::receipt);
      numbers.push_back(outcome->number);
    }
  }
  return numbers;
}

}  // namespace

TEST_CASE("nobody is told to come again while the hub can take what comes") {
  Told hub;
  CHECK(hub.tell(kOne, {1, 2}, false) == 0);
  CHECK(hub.pushback.items() == 0);
}

TEST_CASE("what follows an item that was told to come again is told so, too, until that one has come") {
  Told hub;
  CHECK(hub.tell(kOne, {1, 2}, true) == 2);
  CHECK(hub.tell(kOne, {3, 4}, false) == 2);
  CHECK(hub.tell(kOther, {3, 4}, false) == 0);  // another's order is not touched
  CHECK(hub.tell(kOne, {1}, false) == 0);
  CHECK(hub.tell(kOne, {5}, false) == 1);  // it would overtake 2
  CHECK(hub.tell(kOne, {2, 3}, false) == 0);
  CHECK(hub.tell(kOne, {4, 5, 6}, false) == 0);
  CHECK(hub.tell(kOne, {7}, false) == 0);
  CHECK(hub.pushback.items() == 5);
}

TEST_CASE("what had come before an item that was told to come again is taken") {
  Told hub;
  CHECK(hub.tell(kOne, {5}, true) == 1);
  CHECK(hub.tell(kOne, {4}, false) == 0);
  CHECK(hub.tell(kOne, {6}, false) == 1);
}

TEST_CASE("who never sends again what was told to come again is heard all the same, after a while") {
  Told hub;
  CHECK(hub.tell(kOne, {1}, true) == 1);
  hub.now.us += Pushback::kForgetUs;
  CHECK(hub.tell(kOne, {2}, false) == 1);
  hub.now.us += 1;
  CHECK(hub.tell(kOne, {3}, false) == 0);
  CHECK(hub.tell(kOne, {4}, false) == 0);
}

TEST_CASE("a second copy of what was taken before is told to come again, and holds nothing up") {
  Told hub;
  CHECK(hub.tell(kOne, {1, 2}, false) == 0);
  CHECK(hub.tell(kOne, {1, 2}, true) == 2);
  CHECK(hub.tell(kOne, {3}, false) == 0);
  CHECK(hub.tell(kOne, {2, 3, 4}, true) == 3);
  CHECK(hub.tell(kOne, {5}, false) == 1);  // it would overtake 4
  CHECK(hub.tell(kOne, {2, 3}, false) == 0);
  CHECK(hub.tell(kOne, {4, 5}, false) == 0);
  CHECK(hub.tell(kOne, {6}, false) == 0);
  hub.pushback.forget(kOne);  // numbers begin again with the next connection
  CHECK(hub.tell(kOne, {1}, true) == 1);
  CHECK(hub.tell(kOne, {2}, false) == 1);
}

TEST_CASE("a connection that is gone leaves nothing behind, and one that asks too much only what it may") {
  Told hub;
  CHECK(hub.tell(kOne, {1}, true) == 1);
  hub.pushback.forget(kOne);
  CHECK(hub.tell(kOne, {2}, false) == 0);
  CHECK(hub.tell(kOne, {}, true) == 0);
  std::vector<std::uint64_t> many(limits::kPublishItemsMax + 1);
  std::iota(many.begin(), many.end(), 1);
  CHECK(hub.tell(kOne, many, true) == 0);  // refused where it is decided
}

TEST_CASE("a disk that does not finish for two seconds makes the hub say overloaded to publishers") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hang(hub);
  hub.pass_ms(1'900);
  hub.step();
  CHECK(hub.transport.waiting() == 1);
  CHECK(overloaded(hub).empty());

  hub.pass_ms(200);
  hub.step();
  CHECK(hub.transport.waiting() == 0);
  CHECK(overloaded(hub) == std::vector<std::uint64_t>{3});
  hub.publish(4, 4);
  hub.step();
  CHECK(overloaded(hub) == std::vector<std::uint64_t>{4});
  CHECK(hub.loop->statistics().publications_overloaded == 2);
  CHECK(hub.loop->statistics().alarms == 1);  // one for all of that time

  hub.ledger.release();
  hub.steps(2);
  CHECK(receipts(hub) == std::vector<std::uint64_t>{1, 2});
  hub.publish(5, 5);  // sent before the client had read that 3 is to come again
  hub.step();
  CHECK(overloaded(hub) == std::vector<std::uint64_t>{5});
  for (int again = 3; again <= 5; ++again) hub.publish(again, static_cast<std::uint64_t>(again));
  hub.steps(2);
  CHECK(receipts(hub) == std::vector<std::uint64_t>{3, 4, 5});
}

TEST_CASE("each finished batch shows that the disk goes on, however long the queue") {
  Played hub;
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hang(hub);
  for (int round = 0; round < 5; ++round) {
    hub.pass_ms(1'900);
    hub.step();
    hub.ledger.release_one();
    hub.step();
    hub.publish(10 + round, static_cast<std::uint64_t>(10 + round));
    hub.step();
  }
  CHECK(hub.loop->statistics().publications_overloaded == 0);
  hub.ledger.release();
  hub.steps(2);
}

TEST_CASE("what is no publication waits for a slow disk in order, and only so much of it is read") {
  Played hub;
  hub.subscribe();
  hub.hello(kHospital, "elwick-hospital");
  hub.step();
  hang(hub);
  hub.pass_ms(2'100);
  hub.steps(2);
  CHECK(overloaded(hub) == std::vector<std::uint64_t>{3});

  for (int each = 0; each < 10'000; ++each) hub.transport.put(kCouncil, wire::HeartbeatT{});
  hub.steps(100);
  CHECK(hub.transport.waiting() == 0);  // these need no decision, and are not kept
  wire::CreditT credit;
  credit.subscription = "council-duty-desk";
  for (int each = 0; each < 10'000; ++each) hub.transport.put(kCouncil, wire::CreditT{credit});
  hub.steps(100);
  CHECK(hub.transport.waiting() > 5'000);
  hub.ledger.release();
  hub.steps(100);
  CHECK(hub.transport.waiting() == 0);
  CHECK(receipts(hub) == std::vector<std::uint64_t>{1, 2});
  CHECK(hub.transport.take<wire::DeliverT>(kCouncil).size() >= 1);
}
