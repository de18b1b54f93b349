#include "broker/app/bench_field.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <ostream>
#include <thread>

namespace carehub::app {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kSilenceMax{30};
constexpr std::chrono::seconds kProgressEvery{5};
constexpr milliseconds kPoll{1};
constexpr std::uint64_t kSamplesMax = 1'000'000;  // latencies kept of one subscription

double seconds_between(BenchClock::time_point from, BenchClock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::map<std::string, double> less(std::map<std::string, double> now,
                                   const std::map<std::string, double>& before) {
  for (const auto& [name, seconds] : before) now[name] = std::max(0.0, now[name] - seconds);
  return now;
}

bool asked_to_stop(Surroundings& surroundings) { return surroundings.stopped_within(milliseconds(0)); }

}  // namespace

Result<std::unique_ptr<BenchHub>> BenchHub::start(const BenchHubOptions& options) {
  auto made = std::unique_ptr<BenchHub>(new BenchHub());
  made->local_ = "ipc://" + (options.data / "hub.sock").string();
  server::HubOptions hub;
  hub.name = "bench";
  hub.data = options.data;
  hub.rules = bench_rules(options.subscriptions);
  hub.endpoints = {made->local_};
  if (options.curve) {
    made->own_ = make_key_pair();
    hub.curve_secret = made->own_.secret_key;
    hub.endpoints.emplace_back("tcp://127.0.0.1:*");
    for (const auto& agency : hub.rules.agencies) {
      made->keys_[agency.id] = make_key_pair();
      hub.allowed.push_back({made->keys_[agency.id].public_key, agency.id, "bench"});
    }
  }
  auto started = server::Hub::start(std::move(hub));
  if (!started) return tl::unexpected<Error>(started.error());
  made->hub_ = std::move(*started);
  made->tcp_ = made->hub_->endpoints().back();
  return made;
}

Result<std::unique_ptr<client::HubClient>> BenchHub::connect(const std::string& agency) const {
  client::ClientOptions options;
  options.endpoint = local_;
  options.client = "bench";
  options.agency = agency;
  if (const auto keys = keys_.find(agency); keys != keys_.end()) {
    options.endpoint = tcp_;
    options.curve = client::CurveKeys{own_.public_key, keys->second.public_key, keys->second.secret_key};
  }
  auto client = client::HubClient::open(std::move(options));
  if (!client) return client;
  const auto until = BenchClock::now() + kSilenceMax;
  while (!(*client)->connected()) {
    if (BenchClock::now() > until || !running())
      return fail(ErrorKind::unavailable, "the bench's own hub does not welcome its client");
    std::this_thread::sleep_for(kPoll);
  }
  return client;
}

/// One agency's connection with all its subscriptions.
class BenchField::Reader {
 public:
  static Result<std::unique_ptr<Reader>> open(const BenchHub& hub, const std::string& agency) {
    auto client = hub.connect(agency);
    if (!client) return tl::unexpected(client.error());
    auto reader = std::make_unique<Reader>();
    reader->client_ = std::move(*client);
    return reader;
  }
  ~Reader() {
    if (client_) client_->close();
  }

  Result<void> subscribe(const BenchSubscription& wanted) {
    client::SubscribeOptions options;
    options.name = wanted.name;
    options.role = wanted.role;
    options.credit = limits::kCreditMax;
    return client_->subscribe(
        options, [this, name = wanted.name](const std::vector<wire::DeliveryT>& batch) { take(name, batch); },
        [this](const Error& error) { refuse(error); });
  }

  void begin(std::uint64_t sample_every) {
    const std::lock_guard lock(mutex_);
    seen_.clear();
    sample_every_ = sample_every;
  }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t repeated() const { return repeated_; }
  std::vector<std::pair<Sequence, BenchClock::time_point>> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::optional<Error> refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  void take(const std::string& name, const std::vector<wire::DeliveryT>& batch) {
    const auto now = BenchClock::now();
    std::vector<client::Answer> answers;
    answers.reserve(batch.size());
    for (const auto& each : batch) answers.push_back({each.sequence, {}, {}, 0});
    client_->answer(name, std::move(answers));
    std::uint64_t fresh = 0;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& each : batch) {
        if (each.attempt > 1) continue;
        ++fresh;
        if (each.sequence % sample_every_ == 0) seen_.emplace_back(each.sequence, now);
      }
    }
    repeated_ += batch.size() - fresh;
    delivered_ += fresh;
  }
  void refuse(const Error& error) {
    const std::lock_guard lock(mutex_);
    refused_ = error;
  }

  std::atomic<std::uint64_t> delivered_ = 0, repeated_ = 0;
  mutable std::mutex mutex_;  // between the client's thread and the command's
  std::vector<std::pair<Sequence, BenchClock::time_point>> seen_;
  std::uint64_t sample_every_ = 1;
  std::optional<Error> refused_;
  std::unique_ptr<client::HubClient> client_;  // last: its thread ends before what it writes to
};

/// The window of one run, and when each of its publications left.
class BenchField::Publishing {
 public:
  explicit Publishing(const BenchLoad& load)
      : left_(load.events), sequences_(load.events), free_(load.window) {}

  /// False when no receipt came for too long, or one was none.
  bool take_slot() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kSilenceMax, [this] { return free_ > 0 || error_; }) || error_) return false;
    --free_;
    return true;
  }
  bool all_received(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kSilenceMax, [&] { return received_ == count || error_; }) && !error_;
  }
  void leaves(std::size_t at) { left_[at] = BenchClock::now(); }
  void outcome(std::size_t at, const client::PublishResult& result) {
    const auto now = BenchClock::now();
    const std::lock_guard lock(mutex_);
    if (const auto* receipt = std::get_if<client::Receipt>(&result)) {
      receipts.add(now - left_[at]);
      sequences_[at] = receipt->sequence;
    } else if (const auto* refused = std::get_if<client::Refused>(&result)) {
      error_ = Error{refused->kind, "the hub refuses an event of the bench: " + refused->text};
    } else if (const auto* error = std::get_if<Error>(&result)) {
      error_ = *error;
    } else {
      error_ = Error{ErrorKind::invalid, "the hub does not keep an event of the bench"};
    }
    ++received_;
    ++free_;
    changed_.notify_one();
  }
  Error error() const {
    const std::lock_guard lock(mutex_);
    return error_ ? *error_ : Error{ErrorKind::unavailable, "no receipt came for half a minute"};
  }
  /// Sequence and moment of leaving, in order. For when all is received.
  std::vector<std::pair<Sequence, BenchClock::time_point>> sent() const {
    std::vector<std::pair<Sequence, BenchClock::time_point>> all;
    all.reserve(left_.size());
    for (std::size_t at = 0; at < left_.size(); ++at) all.emplace_back(sequences_[at], left_[at]);
    std::sort(all.begin(), all.end());
    return all;
  }

  Latencies receipts;

 private:
  std::vector<BenchClock::time_point> left_;
  std::vector<Sequence> sequences_;
  mutable std::mutex mutex_;  // receipts come on the client's thread
  std::condition_variable changed_;
  std::uint32_t free_;
  std::uint64_t received_ = 0;
  std::optional<Error> error_;
};

BenchField::BenchField(const BenchHub& hub, std::uint32_t matches) : hub_(hub), matches_(matches) {}

BenchField::~BenchField() {
  if (publisher_) publisher_->close();
}

Result<std::unique_ptr<BenchField>> BenchField::open(const BenchHub& hub, std::uint32_t subscriptions) {
  auto field = std::unique_ptr<BenchField>(new BenchField(hub, bench_matches(subscriptions)));
  std::string agency;
  for (const auto& each : bench_subscriptions(subscriptions)) {
    if (each.agency != agency) {
      auto reader = Reader::open(hub, each.agency);
      if (!reader) return tl::unexpected(reader.error());
      field->readers_.push_back(std::move(*reader));
      agency = each.agency;
    }
    if (auto made = field->readers_.back()->subscribe(each); !made) return tl::unexpected(made.error());
  }
  auto publisher = hub.connect(kBenchPublisher);
  if (!publisher) return tl::unexpected(publisher.error());
  field->publisher_ = std::move(*publisher);
  return field;
}

std::uint64_t BenchField::delivered() const {
  std::uint64_t all = 0;
  for (const auto& reader : readers_) all += reader->delivered();
  return all;
}

Result<void> BenchField::await_deliveries(std::uint64_t expected, Surroundings& surroundings) {
  auto moved = BenchClock::now();
  for (std::uint64_t before = 0, now = 0; (now = delivered()) < expected; before = now) {
    if (now != before) moved = BenchClock::now();
    for (const auto& reader : readers_) {
      if (const auto refused = reader->refused()) return tl::unexpected(*refused);
    }
    if (asked_to_stop(surroundings)) return fail(ErrorKind::unavailable, "stopped before the end");
    if (BenchClock::now() - moved > kSilenceMax || !hub_.running()) {
      return fail(ErrorKind::unavailable,
                  fmt::format("deliveries have ceased: {} came, {} were to come", now, expected));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return {};
}

Latencies BenchField::delivery_latencies(const Publishing& publishing) const {
  const auto sent = publishing.sent();
  Latencies latencies;
  for (const auto& reader : readers_) {
    for (const auto& [sequence, at] : reader->seen()) {
      const auto found =
          std::lower_bound(sent.begin(), sent.end(), std::make_pair(sequence, BenchClock::time_point::min()));
      if (found != sent.end() && found->first == sequence) latencies.add(at - found->second);
    }
  }
  return latencies;
}

Result<BenchOutcome> BenchField::run(BenchEvents& events, const BenchLoad& load, Surroundings& surroundings) {
  const auto publishing = std::make_shared<Publishing>(load);
  for (const auto& reader : readers_) reader->begin(1 + load.events / kSamplesMax);
  const std::uint64_t delivered_before = delivered();
  const auto processor_before = processor_seconds();
  const auto disk_before = disk_bytes_written();
  const auto statistics_before = hub_.statistics();
  const auto begun = BenchClock::now();
  auto said = begun;
  for (std::size_t at = 0; at < load.events; ++at) {
    auto publication = events.next();
    if (load.rate != 0)
      std::this_thread::sleep_until(begun + std::chrono::nanoseconds(1'000'000'000) * at / load.rate);
    if (!publishing->take_slot()) return tl::unexpected(publishing->error());
    publishing->leaves(at);
    auto taken = publisher_->publish(
        std::move(publication),
        [publishing, at](const client::PublishResult& result) { publishing->outcome(at, result); });
    if (!taken) return tl::unexpected(taken.error());
    if (at % 1024 != 0) continue;
    if (asked_to_stop(surroundings)) return fail(ErrorKind::unavailable, "stopped before the end");
    if (BenchClock::now() - said < kProgressEvery) continue;
    said = BenchClock::now();
    surroundings.err << fmt::format("published {} of {} ({} %)\n", at, load.events, 100 * at / load.events)
                     << std::flush;
  }
  if (!publishing->all_received(load.events)) return tl::unexpected(publishing->error());
  BenchOutcome outcome;
  outcome.receipts_seconds = seconds_between(begun, BenchClock::now());
  if (auto all = await_deliveries(delivered_before + load.events * matches_, surroundings); !all)
    return tl::unexpected(all.error());
  outcome.deliveries_seconds = seconds_between(begun, BenchClock::now());
  outcome.events = load.events;
  outcome.deliveries = delivered() - delivered_before;
  for (const auto& reader : readers_) outcome.repeated += reader->repeated();
  outcome.processor_seconds = less(processor_seconds(), processor_before);
  outcome.disk_bytes = disk_bytes_written() - disk_before;
  const auto statistics = hub_.statistics();
  outcome.batches = statistics.batches - statistics_before.batches;
  outcome.entries = statistics.entries - statistics_before.entries;
  outcome.sync = statistics.sync;
  outcome.receipt = publishing->receipts;
  outcome.delivery = delivery_latencies(*publishing);
  return outcome;
}

}  // namespace carehub::app
