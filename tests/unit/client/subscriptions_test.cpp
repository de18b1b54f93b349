#include "broker/client/subscriptions.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/client/played_client.hpp"

using namespace carehub;
using namespace carehub::client;
using carehub::fakes::Awaited;
using carehub::fakes::into;
using carehub::test::Context;
using carehub::test::kEndpoint;
using carehub::test::open_client;
using carehub::test::sample_event;
using carehub::test::TestHub;

namespace {

std::unique_ptr<wire::DeliveryT> delivery(Sequence sequence) {
  auto made = std::make_unique<wire::DeliveryT>();
  made->sequence = sequence;
  made->attempt = 1;
  made->view = sample_event("view");
  return made;
}

}  // namespace

TEST_CASE("deliveries are answered in ranges and their credit goes back") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<std::vector<wire::DeliveryT>> batches;
  SubscribeOptions options;
  options.name = "watch";
  options.role = "school-pastoral";
  options.credit = 9;
  options.rate_per_minute = 60;
  options.durable = false;
  REQUIRE(client->subscribe(options, into(batches), [](const Error&) {}));
  const auto hello = hub.welcome();
  const auto subscribe = hub.next(wire::Message::Subscribe);
  CHECK(subscribe.frame().message_as_Subscribe()->credit() == 9);
  CHECK(subscribe.frame().message_as_Subscribe()->rate_per_minute() == 60);
  CHECK_FALSE(subscribe.frame().message_as_Subscribe()->durable());
  wire::DeliverT deliver;
  deliver.subscription = "watch";
  for (const Sequence sequence : {4U, 5U, 6U, 9U, 11U}) deliver.deliveries.push_back(delivery(sequence));
  hub.send(hello.peer, std::move(deliver));
  REQUIRE(batches.get().size() == 5);
  CHECK(batches.get()[0].view == sample_event("view"));

  Answer failed;
  failed.sequence = 11;
  failed.nak = ledger::NakKind::unavailable;
  failed.code = "http 500";
  client->answer("watch", {Answer{6, {}, {}, 0}, Answer{4, {}, {}, 0}, Answer{5, {}, {}, 0},
                           Answer{9, {}, {}, 0}, failed, Answer{77, {}, {}, 0}});
  const auto ack = hub.next(wire::Message::Ack);
  const auto* ranges = ack.frame().message_as_Ack()->ranges();
  REQUIRE(ranges->size() == 2);
  CHECK(ranges->Get(0)->first() == 4);
  CHECK(ranges->Get(0)->last() == 6);
  CHECK(ranges->Get(1)->first() == 9);
  const auto nak = hub.next(wire::Message::Nak);
  CHECK(nak.frame().message_as_Nak()->items()->Get(0)->code()->str() == "http 500");
  CHECK(hub.next(wire::Message::Credit).frame().message_as_Credit()->amount() == 5);
}

namespace {

wire::DeliverT deliver_of(const std::string& stream, const std::string& replay_of, Sequence sequence) {
  wire::DeliverT frame;
  frame.subscription = stream;
  frame.replay_of = replay_of;
  frame.deliveries.push_back(delivery(sequence));
  frame.deliveries.back()->replay = !replay_of.empty();
  return frame;
}

}  // namespace

TEST_CASE("a replay comes with the name of its stream, and the same event is answered in each by itself") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<std::vector<wire::DeliveryT>> live;
  Awaited<std::pair<std::string, std::vector<wire::DeliveryT>>> replayed;
  SubscribeOptions options;
  options.name = "desk";
  options.replayed = [replayed](const std::string& stream, std::vector<wire::DeliveryT> deliveries) {
    replayed.give({stream, std::move(deliveries)});
  };
  REQUIRE(client->subscribe(options, into(live), [](const Error&) {}));
  const auto hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  hub.send(hello.peer, deliver_of("desk", "", 4));
  hub.send(hello.peer, deliver_of("desk/replay-9", "desk", 4));
  hub.send(hello.peer, deliver_of("other/replay-9", "other", 4));  // nobody's
  REQUIRE(live.get().size() == 1);
  const auto [stream, deliveries] = replayed.get();
  CHECK(stream == "desk/replay-9");
  REQUIRE(deliveries.size() == 1);
  CHECK(deliveries.front().replay);
  client->answer(stream, {Answer{4, {}, {}, 0}});
  CHECK(hub.next(wire::Message::Ack).frame().message_as_Ack()->subscription()->str() == stream);
  CHECK(hub.next(wire::Message::Credit).frame().message_as_Credit()->subscription()->str() == stream);
  client->answer("desk", {Answer{4, {}, {}, 0}});
  CHECK(hub.next(wire::Message::Ack).frame().message_as_Ack()->subscription()->str() == "desk");
}

TEST_CASE("a client that takes no replays leaves them in the hub, and its own deliveries alone") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<std::vector<wire::DeliveryT>> live;
  SubscribeOptions options;
  options.name = "desk";
  REQUIRE(client->subscribe(options, into(live), [](const Error&) {}));
  const auto hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  hub.send(hello.peer, deliver_of("desk/replay-9", "desk", 4));
  const auto nak = hub.next(wire::Message::Nak);
  CHECK(nak.frame().message_as_Nak()->subscription()->str() == "desk/replay-9");
  CHECK(nak.frame().message_as_Nak()->items()->Get(0)->kind() == ledger::NakKind::unavailable);
  hub.send(hello.peer, deliver_of("desk", "", 5));
  CHECK(live.get().front().sequence == 5);
}

TEST_CASE("a subscription is confirmed when the hub has it, and again after a reconnection") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<bool> confirmed;
  SubscribeOptions options;
  options.name = "watch";
  options.confirmed = [confirmed] { confirmed.give(true); };
  REQUIRE(client->subscribe(options, [](const std::vector<wire::DeliveryT>&) {}, [](const Error&) {}));
  for (std::size_t time = 0; time < 2; ++time) {
    const auto hello = hub.welcome();
    hub.next(wire::Message::Subscribe);
    CHECK(confirmed.count() == time);
    wire::SubscribedT subscribed;
    subscribed.name = "watch";
    hub.send(hello.peer, std::move(subscribed));
    CHECK(confirmed.get(time));
    hub.send(hello.peer, wire::GoodbyeT{});
  }
}

TEST_CASE("an answer to a delivery of a lost connection is dropped") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<std::vector<wire::DeliveryT>> batches;
  SubscribeOptions options;
  options.name = "watch";
  REQUIRE(client->subscribe(options, into(batches), [](const Error&) {}));
  const auto deliver = [&](const Bytes& peer) {
    wire::DeliverT frame;
    frame.subscription = "watch";
    frame.deliveries.push_back(delivery(4));
    hub.send(peer, std::move(frame));
  };
  auto hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  deliver(hello.peer);
  batches.get(0);
  hub.send(hello.peer, wire::GoodbyeT{});
  hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  client->answer("watch", {Answer{4, {}, {}, 0}});
  CHECK(hub.silent(wire::Message::Ack, 100));
  deliver(hello.peer);
  batches.get(1);
  client->answer("watch", {Answer{4, {}, {}, 0}});
  CHECK(hub.next(wire::Message::Ack).frame().message_as_Ack()->ranges()->Get(0)->last() == 4);
}

TEST_CASE("a refused subscription tells its owner and is not asked for again") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<Error> refused;
  SubscribeOptions options;
  options.name = "watch";
  REQUIRE(client->subscribe(options, [](const std::vector<wire::DeliveryT>&) {}, into(refused)));
  const auto hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  wire::RejectedT rejected;
  rejected.kind = wire::ErrorKind::denied;
  rejected.text = "no such role";
  hub.send(hello.peer, std::move(rejected));
  CHECK(refused.get().kind == ErrorKind::denied);
  hub.send(hello.peer, wire::GoodbyeT{});
  hub.welcome();
  CHECK(hub.silent(wire::Message::Subscribe, 100));
}

TEST_CASE("a subscription that the hub ends later tells its own owner, and no other") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<Error> refused_first;
  Awaited<Error> refused_second;
  const auto ignore = [](const std::vector<wire::DeliveryT>&) {};
  SubscribeOptions options;
  options.name = "first";
  REQUIRE(client->subscribe(options, ignore, into(refused_first)));
  const auto hello = hub.welcome();
  hub.next(wire::Message::Subscribe);
  wire::SubscribedT subscribed;
  subscribed.name = "first";
  hub.send(hello.peer, std::move(subscribed));
  options.name = "second";
  REQUIRE(client->subscribe(options, ignore, into(refused_second)));
  hub.next(wire::Message::Subscribe);

  wire::RejectedT rejected;
  rejected.kind = wire::ErrorKind::conflict;
  rejected.text = "a newer connection has taken it over";
  rejected.subscription = "first";
  hub.send(hello.peer, std::move(rejected));
  CHECK(refused_first.get().kind == ErrorKind::conflict);
  CHECK(refused_second.count() == 0);
  hub.send(hello.peer, wire::GoodbyeT{});
  hub.welcome();
  CHECK(hub.next(wire::Message::Subscribe).frame().message_as_Subscribe()->name()->str() == "second");
  CHECK(hub.silent(wire::Message::Subscribe, 100));
}
