#include <sodium.h>
#include <sys/resource.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string_view>
#include <thread>
#include <vector>

#include "broker/client/hub_client.hpp"
#include "broker/server/hub.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kChildren = 400'000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::exit(1);
}

struct Keys {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  Keys() { zmq_curve_keypair(open.data(), secret.data()); }
};

/// Microseconds, collected by one thread and read when it is done.
class Latencies {
 public:
  void add(Clock::duration took) {
    us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }
  std::int64_t quantile(double share) {
    if (us_.empty()) return 0;
    std::sort(us_.begin(), us_.end());
    return us_[std::min(us_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(us_.size())))];
  }

 private:
  std::vector<std::int64_t> us_;
};

std::vector<client::Publication> make_publications(int count) {
  std::vector<client::Publication> all;
  all.reserve(static_cast<std::size_t>(count));
  for (int each = 0; each < count; ++each) {
    fakes::EventSpec spec;
    spec.child = each % kChildren;
    const auto item = fakes::item_of(spec);
    client::Publication made;
    made.channel = item.channel;
    made.event = item.event;
    made.identity = item.identity;
    std::copy_n(item.content_hash.begin(), std::min<std::size_t>(item.content_hash.size(), 32),
                made.content_hash.begin());
    all.push_back(std::move(made));
  }
  return all;
}

/// Processor time of the whole process: on a busy machine it says more than the clock.
double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Agency {
  const char* id;
  const char* subscription;
  const char* role;
};
constexpr std::array<Agency, 3> kSubscribers = {
    {{"northmarch-council", "council-duty-desk", "social-care-duty"},
     {"holm-school", "holm-notices", "school-pastoral"},
     {"march-commissioner", "tier4-notice", "tier4-case-manager"}}};

/// A hub with its publisher and three subscribers, all over one kind of transport.
class Field {
 public:
  explicit Field(bool tcp) : tcp_(tcp) {
    server::HubOptions options;
    options.name = "bench";
    options.data = directory_.path();
    options.rules = fakes::EngineHarness::county();
    options.endpoints = {"tcp://127.0.0.1:*"};
    options.curve_secret = server_.secret.data();
    options.allowed.push_back({publisher_.open.data(), "elwick-hospital", "publisher"});
    for (std::size_t at = 0; at < kSubscribers.size(); ++at) {
      options.allowed.push_back(
          {subscribers_[at].open.data(), kSubscribers[at].id, kSubscribers[at].subscription});
    }
    auto started = server::Hub::start(std::move(options));
    if (!started) std::fprintf(stderr, "%s\n", started.error().text.c_str());
    require(started.has_value(), "the hub starts");
    hub_ = std::move(*started);
  }

  std::unique_ptr<client::HubClient> publisher() { return open("elwick-hospital", publisher_); }
  std::unique_ptr<client::HubClient> subscriber(std::size_t at) {
    return open(kSubscribers[at].id, subscribers_[at]);
  }
  server::Statistics statistics() const { return hub_->statistics(); }

 private:
  std::unique_ptr<client::HubClient> open(const char* agency, const Keys& keys) {
    client::ClientOptions options;
    options.client = "bench";
    options.agency = agency;
    if (tcp_) {
      options.endpoint = hub_->endpoints().back();
      options.curve = client::CurveKeys{server_.open.data(), keys.open.data(), keys.secret.data()};
    } else {
      options.endpoint = server::kInprocEndpoint;
      options.zmq_context = hub_->zmq_context();
    }
    auto opened = client::HubClient::open(std::move(options));
    require(opened.has_value(), "a client opens");
    return std::move(*opened);
  }

  bool tcp_;
  fakes::TemporaryDirectory directory_;
  Keys server_, publisher_;
  std::array<Keys, 3> subscribers_;
  std::unique_ptr<server::Hub> hub_;
};

/// When each publication left, by its place; the subscribers learn the place from the sequence of its
/// receipt.
struct Round {
  std::vector<Clock::time_point> left;
  std::mutex mutex;  // receipts come on one thread, deliveries on others
  std::vector<std::pair<Sequence, Clock::time_point>> delivered;
  std::vector<std::pair<Sequence, std::size_t>> receipts;
  std::atomic<std::size_t> receipt_count = 0;
  std::atomic<std::size_t> delivery_count = 0;
  Latencies receipt_latency;
};

void subscribe(client::HubClient& client, const Agency& agency, Round& round, bool sampled) {
  client::SubscribeOptions wanted;
  wanted.name = agency.subscription;
  wanted.role = agency.role;
  wanted.credit = limits::kCreditMax;
  const auto take = [&client, &round, name = wanted.name, sampled](std::vector<wire::DeliveryT> batch) {
    const auto now = Clock::now();
    std::vector<client::Answer> answers;
    answers.reserve(batch.size());
    for (const auto& each : batch) answers.push_back({each.sequence, {}, {}, 0});
    client.answer(name, std::move(answers));
    if (sampled) {
      const std::lock_guard lock(round.mutex);
      for (const auto& each : batch) round.delivered.emplace_back(each.sequence, now);
    }
    round.delivery_count += batch.size();
  };
  const auto refused = [](const Error& error) { std::fprintf(stderr, "refused: %s\n", error.text.c_str()); };
  require(client.subscribe(wanted, take, refused).has_value(), "a subscription is made");
}

Latencies delivery_latencies(Round& round) {
  std::sort(round.receipts.begin(), round.receipts.end());
  Latencies latencies;
  for (const auto& [sequence, at] : round.delivered) {
    const auto found = std::lower_bound(round.receipts.begin(), round.receipts.end(),
                                        std::make_pair(sequence, std::size_t{0}));
    if (found != round.receipts.end() && found->first == sequence)
      latencies.add(at - round.left[found->second]);
  }
  return latencies;
}

void run(bool tcp, std::size_t window, const std::vector<client::Publication>& publications) {
  Field field(tcp);
  Round round;
  round.left.resize(publications.size());
  std::vector<std::unique_ptr<client::HubClient>> subscribers;
  for (std::size_t at = 0; at < kSubscribers.size(); ++at) {
    subscribers.push_back(field.subscriber(at));
    subscribe(*subscribers.back(), kSubscribers[at], round, at == 0);
  }
  const auto publisher = field.publisher();
  while (!publisher->connected()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));

  std::counting_semaphore<> slots(static_cast<std::ptrdiff_t>(window));
  const double cpu_before = processor_seconds();
  const auto begun = Clock::now();
  for (std::size_t at = 0; at < publications.size(); ++at) {
    slots.acquire();
    round.left[at] = Clock::now();
    const auto done = [&round, &slots, at](const client::PublishResult& result) {
      const auto* receipt = std::get_if<client::Receipt>(&result);
      require(receipt != nullptr, "every event gets a receipt");
      round.receipt_latency.add(Clock::now() - round.left[at]);
      round.receipts.emplace_back(receipt->sequence, at);
      ++round.receipt_count;
      slots.release();
    };
    require(publisher->publish(publications[at], done).has_value(), "the client takes every event");
  }
  const auto all = publications.size();
  while (round.receipt_count < all) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto received = Clock::now() - begun;
  while (round.delivery_count < 3 * all) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto delivered = Clock::now() - begun;
  const double cpu_us = (processor_seconds() - cpu_before) * 1e6 / static_cast<double>(all);
  for (const auto& each : subscribers) each->close();
  publisher->close();

  const auto rate = [all](Clock::duration took) {
    return static_cast<double>(all) / std::chrono::duration<double>(took).count();
  };
  auto deliveries = delivery_latencies(round);
  const auto statistics = field.statistics();
  std::printf("%-10s W=%-5zu %7zu events  %8.0f receipts/s  %8.0f delivered to all three/s\n",
              tcp ? "tcp+curve" : "inproc", window, all, rate(received), rate(delivered));
  std::printf(
      "  receipt p50 %lld us p99 %lld us; delivery p50 %lld us p99 %lld us; sync p50 < %lld us p99 < %lld "
      "us; "
      "%.1f entries a batch; %.1f us of processor an event, clients included\n",
      static_cast<long long>(round.receipt_latency.quantile(0.5)),
      static_cast<long long>(round.receipt_latency.quantile(0.99)),
      static_cast<long long>(deliveries.quantile(0.5)), static_cast<long long>(deliveries.quantile(0.99)),
      static_cast<long long>(statistics.sync.quantile_us(0.5)),
      static_cast<long long>(statistics.sync.quantile_us(0.99)),
      static_cast<double>(statistics.entries) /
          static_cast<double>(std::max<std::uint64_t>(1, statistics.batches)),
      cpu_us);
}

}  // namespace

/// carehub_bench [events [window [inproc|tcp]]]: all windows and transports unless told.
int main(int argc, char** argv) {
  require(sodium_init() >= 0, "libsodium starts");
  const int events = argc > 1 ? std::max(1'000, std::atoi(argv[1])) : 100'000;
  const auto many = make_publications(events);
  if (argc > 3) {
    run(std::string_view(argv[3]) == "tcp", static_cast<std::size_t>(std::atoi(argv[2])), many);
    return 0;
  }
  const std::vector<client::Publication> few(many.begin(), many.begin() + events / 10);
  for (const bool tcp : {false, true}) {
    run(tcp, 1, few);
    run(tcp, 1'024, many);
  }
  return 0;
}
