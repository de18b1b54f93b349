#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/app/bench_county.hpp"
#include "broker/app/bench_figures.hpp"
#include "broker/app/key_files.hpp"
#include "broker/app/surroundings.hpp"
#include "broker/server/hub.hpp"

/// A hub under load: its publisher and its subscribers are clients like any other.
namespace carehub::app {

struct BenchHubOptions {
  std::filesystem::path data;
  std::uint32_t subscriptions = 3;
  bool curve = false;  // TCP with CURVE; otherwise the local socket, since TCP without CURVE does not exist
};

class BenchHub {
 public:
  static Result<std::unique_ptr<BenchHub>> start(const BenchHubOptions& options);

  /// Connects as this agency and waits for the welcome. Without a name: an operator, over the local socket.
  Result<std::unique_ptr<client::HubClient>> connect(const std::string& agency) const;

  bool running() const { return hub_->running(); }
  server::Statistics statistics() const { return hub_->statistics(); }

 private:
  BenchHub() = default;

  std::string local_, tcp_;
  KeyPair own_;
  std::map<std::string, KeyPair> keys_;  // by agency; empty without CURVE
  std::unique_ptr<server::Hub> hub_;
};

struct BenchLoad {
  std::uint64_t events = 0;
  std::uint32_t window = 1;  // publications without an outcome
  std::uint32_t rate = 0;    // events a second at most; 0: as fast as receipts come
};

struct BenchOutcome {
  std::uint64_t events = 0;
  std::uint64_t deliveries = 0;  // first attempts; an event has several
  std::uint64_t repeated = 0;
  double receipts_seconds = 0;    // until the last receipt
  double deliveries_seconds = 0;  // until the last delivery was answered
  Latencies receipt, delivery;    // from the publish call
  std::map<std::string, double> processor_seconds;
  std::uint64_t disk_bytes = 0;
  std::uint64_t batches = 0, entries = 0;
  server::Histogram sync;  // since the hub's start
};

/// The clients, connected and subscribed. All deliveries are answered with an ack at once.
class BenchField {
 public:
  static Result<std::unique_ptr<BenchField>> open(const BenchHub& hub, std::uint32_t subscriptions);
  ~BenchField();
  BenchField(const BenchField&) = delete;
  BenchField& operator=(const BenchField&) = delete;

  /// Publishes and waits until every subscription has what it is to have. Errors: `unavailable` when nothing
  /// moves for half a minute or the program is asked to stop; what the hub says to a refused event.
  Result<BenchOutcome> run(BenchEvents& events, const BenchLoad& load, Surroundings& surroundings);

 private:
  class Reader;
  class Publishing;
  BenchField(const BenchHub& hub, std::uint32_t matches);
  Result<void> await_deliveries(std::uint64_t expected, Surroundings& surroundings);
  std::uint64_t delivered() const;
  Latencies delivery_latencies(const Publishing& publishing) const;

  const BenchHub& hub_;
  std::uint32_t matches_;
  std::unique_ptr<client::HubClient> publisher_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace carehub::app
