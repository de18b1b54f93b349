#include "broker/client/hub_client.hpp"

#include <unistd.h>
#include <zstd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

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

Publication publication(const std::string& id) {
  Publication made;
  made.channel = "holm-csv";
  made.event = sample_event(id);
  made.identity = Bytes(id.begin(), id.end());
  return made;
}

std::unique_ptr<wire::PublishOutcomeT> outcome(std::uint64_t number, wire::Outcome what,
                                               Sequence sequence = 0,
                                               wire::ErrorKind kind = wire::ErrorKind::unknown) {
  auto made = std::make_unique<wire::PublishOutcomeT>();
  made->number = number;
  made->outcome = what;
  made->sequence = sequence;
  made->kind = kind;
  made->text = "why";
  return made;
}

std::vector<std::uint64_t> numbers_of(const TestHub::Received& publish) {
  std::vector<std::uint64_t> numbers;
  for (const auto* item : *publish.frame().message_as_Publish()->items()) numbers.push_back(item->number());
  return numbers;
}

}  // namespace

TEST_CASE("wrong endpoints and keys are refused before anything starts") {
  const auto kind = [](ClientOptions options) {
    const auto opened = HubClient::open(std::move(options));
    return opened ? ErrorKind::not_found : opened.error().kind;
  };
  ClientOptions options;
  options.endpoint = "http://127.0.0.1";
  CHECK(kind(options) == ErrorKind::invalid);
  options.endpoint = "tcp://127.0.0.1:9";
  CHECK(kind(options) == ErrorKind::invalid);  // TCP without keys
  options.curve = CurveKeys{"short", "short", "short"};
  CHECK(kind(options) == ErrorKind::invalid);
  options.curve.reset();
  options.endpoint = "inproc://nowhere";
  CHECK(kind(options) == ErrorKind::invalid);  // without the hub's context
}

TEST_CASE("a publication travels after the Welcome and completes with its receipt") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<PublishResult> result;
  REQUIRE(client->publish(publication("one"), into(result)));

  const auto hello = hub.next(wire::Message::Hello);
  CHECK(hello.peer.size() == 32);
  CHECK(hello.peer[0] != 0);
  CHECK(hello.frame().message_as_Hello()->agency()->str() == "holm-school");
  CHECK(hub.silent(wire::Message::Publish, 50));
  wire::WelcomeT welcome;
  welcome.publish_bytes_max = limits::kPublishBytesMax;
  welcome.in_flight_max = 10;
  hub.send(hello.peer, std::move(welcome));

  const auto publish = hub.next(wire::Message::Publish);
  const auto* item = publish.frame().message_as_Publish()->items()->Get(0);
  CHECK(item->channel()->str() == "holm-csv");
  CHECK(item->event_nested_root()->id()->str() == "one");
  CHECK(item->original() == nullptr);
  wire::PublishedT published;
  published.outcomes.push_back(outcome(item->number(), wire::Outcome::receipt, 7));
  published.outcomes.back()->appended_at = 123;
  published.outcomes.back()->marks.push_back(ledger::Mark::before_admission);
  hub.send(publish.peer, std::move(published));

  const auto receipt = std::get<Receipt>(result.get());
  CHECK(receipt.sequence == 7);
  CHECK(receipt.appended_at.us == 123);
  CHECK_FALSE(receipt.duplicate);
  CHECK(receipt.marks == std::vector{ledger::Mark::before_admission});
  CHECK(client->connected());
}

TEST_CASE("every outcome of the hub becomes the result it means") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<PublishResult> results;
  for (const char* id : {"a", "b", "c", "d"}) REQUIRE(client->publish(publication(id), into(results)));
  hub.welcome();
  std::vector<std::uint64_t> numbers;
  wire::PublishedT published;
  Bytes peer;
  while (numbers.size() < 4) {
    const auto publish = hub.next(wire::Message::Publish);
    peer = publish.peer;
    for (const auto number : numbers_of(publish)) numbers.push_back(number);
  }
  published.outcomes.push_back(outcome(numbers[0], wire::Outcome::duplicate, 3));
  published.outcomes.push_back(outcome(numbers[1], wire::Outcome::refused, 4, wire::ErrorKind::denied));
  published.outcomes.push_back(outcome(numbers[2], wire::Outcome::not_kept));
  published.outcomes.push_back(outcome(numbers[3], wire::Outcome::failed, 0, wire::ErrorKind::invalid));
  hub.send(peer, std::move(published));
  CHECK(std::get<Receipt>(results.get(0)).duplicate);
  CHECK(std::get<Refused>(results.get(1)).kind == ErrorKind::denied);
  CHECK(std::get<Refused>(results.get(1)).sequence == 4);
  CHECK(std::get<NotKept>(results.get(2)).text == "why");
  CHECK(std::get<Error>(results.get(3)).kind == ErrorKind::invalid);
}

TEST_CASE("an overloaded hub is asked again and nobody is told") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<PublishResult> result;
  REQUIRE(client->publish(publication("one"), into(result)));
  hub.welcome();
  for (int time = 0; time < 3; ++time) {
    const auto publish = hub.next(wire::Message::Publish);
    wire::PublishedT published;
    published.outcomes.push_back(
        outcome(numbers_of(publish).front(), wire::Outcome::failed, 0, wire::ErrorKind::overloaded));
    hub.send(publish.peer, std::move(published));
  }
  CHECK(result.count() == 0);
  const auto publish = hub.next(wire::Message::Publish);
  wire::PublishedT published;
  published.outcomes.push_back(outcome(numbers_of(publish).front(), wire::Outcome::receipt, 1));
  hub.send(publish.peer, std::move(published));
  CHECK(std::get<Receipt>(result.get()).sequence == 1);
}

TEST_CASE("after a loss the unanswered are published again, in order, under another routing id") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<PublishResult> results;
  for (const char* id : {"a", "b", "c", "d"}) REQUIRE(client->publish(publication(id), into(results)));
  const auto first_hello = hub.welcome();
  std::vector<std::uint64_t> numbers;
  while (numbers.size() < 4) {
    const auto publish = hub.next(wire::Message::Publish);
    for (const auto number : numbers_of(publish)) numbers.push_back(number);
  }
  wire::PublishedT published;
  published.outcomes.push_back(outcome(numbers[1], wire::Outcome::receipt, 42));
  hub.send(first_hello.peer, std::move(published));
  CHECK(std::get<Receipt>(results.get()).sequence == 42);
  hub.send(first_hello.peer, wire::GoodbyeT{});

  const auto second_hello = hub.welcome();
  CHECK(second_hello.peer != first_hello.peer);
  CHECK(second_hello.frame().message_as_Hello()->last_receipt() == 42);
  std::vector<std::uint64_t> again;
  while (again.size() < 3) {
    const auto publish = hub.next(wire::Message::Publish);
    for (const auto number : numbers_of(publish)) again.push_back(number);
  }
  CHECK(again == std::vector{numbers[0], numbers[2], numbers[3]});
}

TEST_CASE("a full queue pushes back on the caller") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context, 2);
  Awaited<PublishResult> results;
  REQUIRE(client->publish(publication("a"), into(results)));
  REQUIRE(client->publish(publication("b"), into(results)));
  const auto third = client->publish(publication("c"), into(results));
  REQUIRE_FALSE(third);
  CHECK(third.error().kind == ErrorKind::overloaded);
}

TEST_CASE("what is no event or too large never reaches the hub") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  const auto kind = [&](Publication bad) {
    const auto published = client->publish(std::move(bad), [](const PublishResult&) {});
    return published ? ErrorKind::not_found : published.error().kind;
  };
  auto bad = publication("a");
  bad.event.resize(bad.event.size() / 2);
  CHECK(kind(bad) == ErrorKind::invalid);
  bad = publication("a");
  bad.original.resize(limits::kOriginalBytesMax + 1);
  CHECK(kind(bad) == ErrorKind::invalid);
  bad = publication("a");
  bad.problem = wire::ProblemT{};
  CHECK(kind(bad) == ErrorKind::invalid);  // both an event and a problem
}

TEST_CASE("a large original travels compressed and comes out whole") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  auto made = publication("one");
  for (int line = 0; line < 200; ++line) {
    for (const char each : std::string("PID|1||LOCAL^^^ELW||EXAMPLE^CHILD\r")) {
      made.original.push_back(static_cast<std::uint8_t>(each));
    }
  }
  const Bytes original = made.original;
  REQUIRE(client->publish(made, [](const PublishResult&) {}));
  hub.welcome();
  const auto publish = hub.next(wire::Message::Publish);
  const auto* item = publish.frame().message_as_Publish()->items()->Get(0);
  CHECK(item->original_codec() == 1);
  CHECK(item->original()->size() < original.size() / 4);
  Bytes plain(original.size() + 1);
  const auto size =
      ZSTD_decompress(plain.data(), plain.size(), item->original()->data(), item->original()->size());
  REQUIRE(size == original.size());
  plain.resize(size);
  CHECK(plain == original);
}

TEST_CASE("a question gets its page, and hears of a loss") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  Awaited<Result<Reply>> replies;
  wire::QueryT query;
  query.kind = wire::QueryKind::status;
  REQUIRE(client->ask(query, into(replies)));
  const auto hello = hub.welcome();
  const auto asked = hub.next(wire::Message::Query);
  wire::PageT page;
  page.number = asked.frame().message_as_Query()->number();
  page.next_after = 5;
  hub.send(hello.peer, std::move(page));
  const auto reply = replies.get(0);
  REQUIRE(reply);
  CHECK(std::get<wire::PageT>(*reply).next_after == 5);

  REQUIRE(client->ask(query, into(replies)));
  hub.next(wire::Message::Query);
  hub.send(hello.peer, wire::GoodbyeT{});
  const auto lost = replies.get(1);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().kind == ErrorKind::unavailable);
}

TEST_CASE("one client serves many threads at once, and each gets every answer") {
  constexpr int kThreads = 4;
  constexpr int kPublications = 50;
  constexpr int kQuestions = 10;
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  const auto hello = hub.welcome();
  Awaited<PublishResult> results;
  Awaited<Result<Reply>> replies;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int each = 0; each < kPublications; ++each) {
        const auto id = std::to_string(thread) + "-" + std::to_string(each);
        if (!client->publish(publication(id), into(results))) ++refused;
        if (each >= kQuestions) continue;
        wire::QueryT query;
        query.kind = wire::QueryKind::status;
        if (!client->ask(query, into(replies))) ++refused;
        (void)client->connected();
      }
    });
  }
  std::set<std::uint64_t> published;
  int asked = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(4);
  while ((published.size() < kThreads * kPublications || asked < kThreads * kQuestions) &&
         std::chrono::steady_clock::now() < until) {
    const auto received = hub.any(50);
    if (!received) continue;
    if (received->frame().message_type() == wire::Message::Publish) {
      wire::PublishedT answer;
      for (const auto number : numbers_of(*received)) {
        CHECK(published.insert(number).second);
        answer.outcomes.push_back(outcome(number, wire::Outcome::receipt, number));
      }
      hub.send(hello.peer, std::move(answer));
    } else if (received->frame().message_type() == wire::Message::Query) {
      ++asked;
      wire::PageT page;
      page.number = received->frame().message_as_Query()->number();
      hub.send(hello.peer, std::move(page));
    }
  }
  for (auto& thread : threads) thread.join();
  CHECK(refused == 0);
  std::set<Sequence> receipts;
  for (std::size_t each = 0; each < kThreads * kPublications; ++each)
    receipts.insert(std::get<Receipt>(results.get(each)).sequence);
  CHECK(receipts.size() == kThreads * kPublications);
  for (std::size_t each = 0; each < kThreads * kQuestions; ++each) CHECK(replies.get(each));
}

TEST_CASE("closing completes every publication exactly once") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  auto client = open_client(context);
  Awaited<PublishResult> results;
  for (int each = 0; each < 100; ++each) REQUIRE(client->publish(publication("e"), into(results)));
  client->close();
  CHECK(results.count() == 100);
  CHECK(std::get<Error>(results.get(99)).kind == ErrorKind::unavailable);
  CHECK_FALSE(client->publish(publication("late"), into(results)));
  client.reset();
  CHECK(results.count() == 100);
}

TEST_CASE("a hub that is not there yet is found when it comes") {
  Context context;
  const std::string endpoint = "ipc:///tmp/carehub-client-test-" + std::to_string(getpid()) + ".sock";
  ClientOptions options;
  options.endpoint = endpoint;
  options.client = "early";
  auto client = HubClient::open(options);
  REQUIRE(client);
  Awaited<PublishResult> result;
  REQUIRE((*client)->publish(publication("one"), into(result)));
  CHECK_FALSE((*client)->connected());
  TestHub hub(context.handle, endpoint);
  const auto hello = hub.welcome();
  CHECK(numbers_of(hub.next(wire::Message::Publish)).size() == 1);

  // The socket vanishes without a word: found out, and reconnected.
  hub.unbind();
  hub.bind();
  const auto again = hub.welcome();
  CHECK(again.peer != hello.peer);
  CHECK(numbers_of(hub.next(wire::Message::Publish)).size() == 1);
  CHECK(result.count() == 0);
}

TEST_CASE("whoever wants to know is told of the welcome and of why a connection was lost") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  ClientOptions options;
  options.endpoint = kEndpoint;
  options.zmq_context = context.handle;
  options.client = "curious";
  const Awaited<std::string> told;
  options.on_connection = [told](const Error* lost) { told.give(lost == nullptr ? "welcome" : lost->text); };
  const auto client = HubClient::open(options);
  REQUIRE(client);
  const auto hello = hub.welcome();
  CHECK(told.get(0) == "welcome");
  wire::RejectedT rejected;
  rejected.kind = wire::ErrorKind::unavailable;
  rejected.text = "not now";
  rejected.closing = true;
  hub.send(hello.peer, std::move(rejected));
  CHECK(told.get(1) == "not now");
  (void)hub.welcome();
  CHECK(told.get(2) == "welcome");
  (*client)->close();
  CHECK(told.count() == 3);
}

TEST_CASE("bytes that are no frame end the connection, not the client") {
  Context context;
  TestHub hub(context.handle, kEndpoint);
  const auto client = open_client(context);
  const auto hello = hub.welcome();
  hub.send_bytes(hello.peer, Bytes(64, 0xFF));
  CHECK(hub.welcome().peer != hello.peer);
}
