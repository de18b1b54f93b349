#pragma once

#include <zmq.h>

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>

#include "broker/client/hub_client.hpp"
#include "broker/server/hub.hpp"
#include "tests/fakes/awaited.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/temporary_directory.hpp"

namespace carehub::test {

struct KeyPair {
  std::array<char, 41> public_key{};
  std::array<char, 41> secret_key{};
  KeyPair() { zmq_curve_keypair(public_key.data(), secret_key.data()); }
  std::string public_text() const { return public_key.data(); }
  std::string secret_text() const { return secret_key.data(); }
};

/// A real hub on a directory of its own, with the county's rules, reached in every way.
class RunningHub {
 public:
  explicit RunningHub(core::HubRules with = fakes::EngineHarness::county()) : rules(std::move(with)) {
    start();
  }

  void start() {
    server::HubOptions options;
    options.name = "Northmarch";
    options.data = directory.path();
    options.endpoints = {ipc(), tcp_endpoint};
    options.rules = rules;
    options.allowed = allowed();
    options.curve_secret = server_keys.secret_text();
    auto started = server::Hub::start(std::move(options));
    if (!started) FAIL(started.error().text);
    hub = std::move(*started);
    tcp_endpoint = hub->endpoints().back();
  }
  void stop() {
    const auto stopped = hub->stop();
    if (!stopped) FAIL(stopped.error().text);
    hub.reset();
  }

  std::vector<server::AllowedKey> allowed() const {
    return {{hospital_keys.public_text(), "elwick-hospital", "elwick-adt"},
            {council_keys.public_text(), "northmarch-council", "duty"}};
  }
  std::string ipc() const { return "ipc://" + (directory.path() / "hub.sock").string(); }

  client::ClientOptions inproc_options(const std::string& agency) const {
    client::ClientOptions options;
    options.endpoint = server::kInprocEndpoint;
    options.zmq_context = hub->zmq_context();
    options.client = "test";
    options.agency = agency;
    return options;
  }
  client::ClientOptions ipc_options(const std::string& agency) const {
    client::ClientOptions options;
    options.endpoint = ipc();
    options.client = "test";
    options.agency = agency;
    return options;
  }
  client::ClientOptions tcp_options(const KeyPair& keys) const {
    client::ClientOptions options;
    options.endpoint = tcp_endpoint;
    options.client = "test";
    options.curve = client::CurveKeys{server_keys.public_text(), keys.public_text(), keys.secret_text()};
    return options;
  }

  fakes::TemporaryDirectory directory;
  KeyPair server_keys;
  KeyPair hospital_keys;
  KeyPair council_keys;
  std::string tcp_endpoint = "tcp://127.0.0.1:*";
  core::HubRules rules;
  std::unique_ptr<server::Hub> hub;
};

inline std::unique_ptr<client::HubClient> open_client(client::ClientOptions options) {
  auto opened = client::HubClient::open(std::move(options));
  if (!opened) FAIL(opened.error().text);
  return std::move(*opened);
}

/// The admission of a child of its own, as a publication; with a text of that size in it.
inline client::Publication admission(int child, std::size_t text_bytes = 0) {
  fakes::EventSpec spec;
  spec.child = child;
  auto made_event = fakes::make_event(spec);
  if (text_bytes > 0) made_event.admission->reason_text = std::string(text_bytes, 'r');
  const auto item = fakes::item_of(made_event);
  client::Publication made;
  made.channel = item.channel;
  made.event = item.event;
  made.identity = item.identity;
  std::copy_n(item.content_hash.begin(), std::min<std::size_t>(item.content_hash.size(), 32),
              made.content_hash.begin());
  made.on_reuse = item.on_reuse;
  return made;
}

/// A subscriber that keeps what it gets, and acks at once when told to.
class Subscriber {
 public:
  Subscriber(client::ClientOptions options, const std::string& name, const std::string& role,
             bool acks = true, std::uint32_t credit = 256)
      : name_(name), acks_(acks), client_(open_client(std::move(options))) {
    client::SubscribeOptions wanted;
    wanted.name = name;
    wanted.role = role;
    wanted.credit = credit;
    const auto subscribed = client_->subscribe(
        wanted, [this](std::vector<wire::DeliveryT> batch) { take(std::move(batch)); },
        [refused = refused](Error error) { refused.give(std::move(error)); });
    if (!subscribed) FAIL(subscribed.error().text);
  }
  ~Subscriber() { client_->close(); }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  fakes::Awaited<wire::DeliveryT> deliveries;
  fakes::Awaited<Error> refused;

 private:
  void take(std::vector<wire::DeliveryT> batch) {
    std::vector<client::Answer> answers;
    for (wire::DeliveryT& each : batch) {
      answers.push_back({each.sequence, {}, {}, 0});
      deliveries.give(std::move(each));
    }
    if (acks_) client_->answer(name_, std::move(answers));
  }

  std::string name_;
  bool acks_;
  std::unique_ptr<client::HubClient> client_;
};

/// Tries for two minutes: a bound for what never comes, wide enough for unoptimised code on a busy machine.
template <class Condition>
bool eventually(Condition condition) {
  for (int each = 0; each < 12'000; ++each) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace carehub::test
