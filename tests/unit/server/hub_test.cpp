#include "broker/server/hub.hpp"

#include <sys/stat.h>
#include <zmq.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "broker/base/limits.hpp"
#include "broker/base/wire_frame.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using carehub::client::PublishResult;
using carehub::fakes::Awaited;
using carehub::fakes::into;
using carehub::test::admission;
using carehub::test::eventually;
using carehub::test::open_client;
using carehub::test::RunningHub;
using carehub::test::Subscriber;

namespace {

constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kDuty = "social-care-duty";

Sequence receipt_of(const PublishResult& result) {
  const auto* receipt = std::get_if<client::Receipt>(&result);
  if (receipt == nullptr) FAIL("no receipt came but another result, number " << result.index());
  return receipt->sequence;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

}  // namespace

TEST_CASE("an admission is received, receipted, delivered and acked over every transport") {
  RunningHub running;
  const std::string way = GENERATE(as<std::string>(), "inproc", "ipc", "tcp with CURVE");
  CAPTURE(way);
  const auto options = [&](const std::string& agency, const test::KeyPair& keys) {
    if (way == "inproc") return running.inproc_options(agency);
    if (way == "ipc") return running.ipc_options(agency);
    return running.tcp_options(keys);
  };
  const Subscriber council(options("northmarch-council", running.council_keys), kDesk, kDuty);
  const auto hospital = open_client(options("elwick-hospital", running.hospital_keys));
  Awaited<PublishResult> results;
  REQUIRE(hospital->publish(admission(1), into(results)));
  const Sequence sequence = receipt_of(results.get());
  const auto delivery = council.deliveries.get();
  CHECK(delivery.sequence == sequence);
  CHECK(delivery.type == event::EventType::admission);
  CHECK(eventually([&] { return running.hub->statistics().engine.acked == 1; }));
  CHECK(running.hub->statistics().head > sequence);
}

TEST_CASE("a key that is not on the list gets nowhere, and one that is taken off is thrown out") {
  RunningHub running;
  const test::KeyPair stranger;
  const auto refused = open_client(running.tcp_options(stranger));
  const auto hospital = open_client(running.tcp_options(running.hospital_keys));
  CHECK(eventually([&] { return hospital->connected(); }));
  CHECK(eventually([&] { return running.hub->statistics().keys_refused >= 1; }));
  CHECK_FALSE(refused->connected());
  REQUIRE(running.hub->allow({}));
  CHECK(eventually([&] { return running.hub->statistics().connections == 0; }));
  Awaited<PublishResult> results;
  REQUIRE(hospital->publish(admission(1), into(results)));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(results.count() == 0);
}

TEST_CASE("a client with a key of one agency cannot publish or subscribe as another") {
  RunningHub running;
  auto options = running.tcp_options(running.council_keys);
  options.agency = "elwick-hospital";
  const auto liar = open_client(options);
  CHECK(eventually([&] { return running.hub->statistics().frames_refused >= 1; }));
  CHECK_FALSE(liar->connected());

  const auto council = open_client(running.tcp_options(running.council_keys));
  REQUIRE(eventually([&] { return council->connected(); }));
  Awaited<PublishResult> results;
  REQUIRE(council->publish(admission(1), into(results)));
  const auto result = results.get();
  REQUIRE(std::holds_alternative<client::Refused>(result));
  CHECK(std::get<client::Refused>(result).kind == ErrorKind::denied);
  const Subscriber school(running.tcp_options(running.council_keys), "holm-notices", "school-pastoral");
  CHECK(school.refused.get().kind == ErrorKind::denied);
}

TEST_CASE("a stopped hub that starts again on its data carries on with the same clients") {
  RunningHub running;
  const Subscriber council(running.ipc_options("northmarch-council"), kDesk, kDuty);
  const auto hospital = open_client(running.ipc_options("elwick-hospital"));
  Awaited<PublishResult> results;
  REQUIRE(hospital->publish(admission(1), into(results)));
  const Sequence first = receipt_of(results.get(0));
  council.deliveries.get(0);
  REQUIRE(eventually([&] { return running.hub->statistics().engine.acked == 1; }));
  running.stop();
  REQUIRE(hospital->publish(admission(2), into(results)));
  running.start();
  CHECK(receipt_of(results.get(1)) > first);
  CHECK(council.deliveries.get(1).sequence > first);
  REQUIRE(hospital->publish(admission(1), into(results)));  // child 1 again: another event of hers
  CHECK(receipt_of(results.get(2)) > first);
}

TEST_CASE("a message that comes again after a restart gets its old receipt") {
  RunningHub running;
  const auto message = admission(1);
  Sequence first = 0;
  {
    const auto hospital = open_client(running.ipc_options("elwick-hospital"));
    Awaited<PublishResult> results;
    REQUIRE(hospital->publish(message, into(results)));
    first = receipt_of(results.get());
  }
  running.stop();
  running.start();
  const auto hospital = open_client(running.ipc_options("elwick-hospital"));
  Awaited<PublishResult> results;
  REQUIRE(hospital->publish(message, into(results)));
  const auto result = results.get();
  CHECK(receipt_of(result) == first);
  CHECK(std::get<client::Receipt>(result).duplicate);
}

TEST_CASE("thousands of messages reach their subscribers once each and in order for each child") {
  RunningHub running;
  const Subscriber council(running.inproc_options("northmarch-council"), kDesk, kDuty);
  const Subscriber commissioner(running.ipc_options("march-commissioner"), "tier4-notice",
                                "tier4-case-manager");
  const auto hospital = open_client(running.inproc_options("elwick-hospital"));
  Awaited<PublishResult> results;
#ifdef __SANITIZE_THREAD__
  constexpr int kMessages = 600;  // each takes dozens of times as long
#else
  constexpr int kMessages = 3'000;
#endif
  constexpr int kChildren = 50;
  for (int each = 0; each < kMessages; ++each) {
    REQUIRE(eventually(
        [&] { return hospital->publish(admission(each % kChildren), into(results)).has_value(); }));
  }
  for (const auto* subscriber : {&council, &commissioner}) {
    REQUIRE(eventually([&] { return subscriber->deliveries.count() >= kMessages; }));
    std::map<std::array<std::uint8_t, 16>, Sequence> newest;
    std::set<Sequence> seen;
    for (std::size_t at = 0; at < kMessages; ++at) {
      const auto delivery = subscriber->deliveries.get(at);
      std::array<std::uint8_t, 16> child{};
      std::copy_n(delivery.person->bytes()->begin(), 16, child.begin());
      CHECK(delivery.sequence > newest[child]);
      newest[child] = delivery.sequence;
      seen.insert(delivery.sequence);
    }
    CHECK(seen.size() == kMessages);
  }
}

TEST_CASE("a subscriber that stops reading cannot grow the hub's memory") {
  RunningHub running;
  void* context = zmq_ctx_new();
  void* deaf = zmq_socket(context, ZMQ_DEALER);
  const std::string id(32, 'd');
  const int none = 0;
  const int few = 4;
  zmq_setsockopt(deaf, ZMQ_ROUTING_ID, id.data(), id.size());
  zmq_setsockopt(deaf, ZMQ_LINGER, &none, sizeof none);
  zmq_setsockopt(deaf, ZMQ_RCVHWM, &few, sizeof few);
  REQUIRE(zmq_connect(deaf, running.ipc().c_str()) == 0);
  wire::HelloT hello;
  hello.client = "deaf";
  hello.agency = "northmarch-council";
  wire::SubscribeT subscribe;
  subscribe.name = kDesk;
  subscribe.role = kDuty;
  subscribe.credit = limits::kCreditMax;
  subscribe.filter = std::make_unique<ledger::FilterT>();
  for (const Bytes& frame : {frame_bytes(std::move(hello)), frame_bytes(std::move(subscribe))}) {
    zmq_send(deaf, frame.data(), frame.size(), 0);
  }
  const auto hospital = open_client(running.inproc_options("elwick-hospital"));
  std::atomic<int> receipts = 0;
  std::size_t before = 0;
  constexpr int kMessages = 6'000;
  constexpr std::size_t kTextBytes = 50'000;  // the views of the second half come to 150 MB
  for (int each = 0; each < kMessages; ++each) {
    REQUIRE(eventually([&] {
      return hospital->publish(admission(each, kTextBytes), [&](const PublishResult&) { ++receipts; })
          .has_value();
    }));
    if (each != kMessages / 2) continue;
    REQUIRE(eventually([&] { return receipts == each + 1; }));
    before = resident_bytes();
  }
  CHECK(eventually([&] { return receipts == kMessages; }));
  const std::size_t after = resident_bytes();
  const auto statistics = running.hub->statistics();
  std::cout << "a subscriber that does not read, " << kMessages << " views of " << kTextBytes / 1000
            << " kB: resident " << before / (1U << 20U) << " MiB after half of them, " << after / (1U << 20U)
            << " MiB after all; frames held back " << statistics.sends_held_back << '\n';
  CHECK(statistics.engine.received == kMessages);
  CHECK(after < before + (100U << 20U));
  zmq_close(deaf);
  zmq_ctx_term(context);
}

TEST_CASE("what is in the way of a start is named, and nothing is left behind") {
  const RunningHub first;
  const auto start = [&](const std::function<void(server::HubOptions&)>& change) {
    const fakes::TemporaryDirectory directory;
    server::HubOptions options;
    options.data = directory.path();
    options.rules = first.rules;
    options.curve_secret = first.server_keys.secret_text();
    change(options);
    auto started = server::Hub::start(options);
    REQUIRE_FALSE(started);
    const Error error = started.error();
    // The data is free again: the same directory serves when the fault is mended.
    if (options.data == directory.path()) {
      options.endpoints.clear();
      options.allowed.clear();
      options.rules = first.rules;
      auto again = server::Hub::start(options);
      CHECK(again);
    }
    return error;
  };
  const auto taken = start([&](auto& options) { options.endpoints = {first.tcp_endpoint}; });
  CHECK(taken.kind == ErrorKind::unavailable);
  CHECK(taken.text.find(first.tcp_endpoint) != std::string::npos);
  const auto listening = start([&](auto& options) { options.endpoints = {first.ipc()}; });
  CHECK(listening.kind == ErrorKind::unavailable);
  CHECK(listening.text.find("another process listens") != std::string::npos);
  const auto same_data = start([&](auto& options) { options.data = first.directory.path(); });
  CHECK(same_data.kind == ErrorKind::unavailable);
  const auto policy = start([&](auto& options) { options.rules.policy_text = "[[rule]]\nname = 3\n"; });
  CHECK(policy.kind == ErrorKind::invalid);
  const auto key = start([&](auto& options) { options.allowed = {{"not a key", "holm-school", "x"}}; });
  CHECK(key.kind == ErrorKind::invalid);
  CHECK(key.text.find("not a key") == std::string::npos);
}

TEST_CASE("a ledger without its vault does not start") {
  RunningHub running;
  running.stop();
  REQUIRE(std::filesystem::remove(running.directory.path() / "vault"));
  server::HubOptions options;
  options.data = running.directory.path();
  options.rules = running.rules;
  const auto started = server::Hub::start(options);
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::corrupt);
  CHECK_FALSE(std::filesystem::exists(running.directory.path() / "vault"));
}

TEST_CASE("an older vault that was put back does not cost the state, which was right") {
  constexpr std::uintmax_t kVaultHeaderBytes = 192;
  RunningHub running;
  {
    const auto hospital = open_client(running.ipc_options("elwick-hospital"));
    Awaited<PublishResult> results;
    REQUIRE(hospital->publish(admission(1), into(results)));
    receipt_of(results.get());
  }
  running.stop();
  const auto& data = running.directory.path();
  const auto applied = [&] {
    const auto store = storage::RocksStateStore::open(data);
    REQUIRE(store);
    return (*store)->applied();
  };
  const Sequence before = applied();
  REQUIRE(before > 0);
  std::filesystem::copy_file(data / "vault", data / "vault.newest");
  std::filesystem::resize_file(data / "vault", kVaultHeaderBytes);
  server::HubOptions options;
  options.data = data;
  options.rules = running.rules;
  const auto refused = server::Hub::start(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::corrupt);
  CHECK(refused.error().text.find("vault") != std::string::npos);
  CHECK(applied() == before);
  std::filesystem::rename(data / "vault.newest", data / "vault");
  running.start();
}

TEST_CASE("state that is lost is made again from the ledger") {
  RunningHub running;
  const auto message = admission(1);
  const auto publish = [&] {
    const auto hospital = open_client(running.ipc_options("elwick-hospital"));
    Awaited<PublishResult> results;
    REQUIRE(hospital->publish(message, into(results)));
    return results.get();
  };
  const Sequence first = receipt_of(publish());
  running.stop();
  std::filesystem::remove_all(running.directory.path() / "state");
  running.start();
  const auto again = publish();
  CHECK(receipt_of(again) == first);
  CHECK(std::get<client::Receipt>(again).duplicate);
}

TEST_CASE("a question is answered once its Access entry is durable") {
  RunningHub running;
  const auto asker = open_client(running.ipc_options(""));
  wire::QueryT query;
  query.kind = wire::QueryKind::status;
  query.by = "duty engineer";
  query.reason = "is it up";
  Awaited<Result<client::Reply>> replies;
  REQUIRE(asker->ask(query, into(replies)));
  const auto reply = replies.get();
  REQUIRE(reply);
  CHECK(std::get<wire::PageT>(*reply).error == wire::ErrorKind::unknown);
}

TEST_CASE("the socket file is its user's alone") {
  const RunningHub running;
  struct stat status{};
  REQUIRE(::stat((running.directory.path() / "hub.sock").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
}
