#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What `carehub bench` reads off itself while it runs.
namespace carehub::app {

using BenchClock = std::chrono::steady_clock;

/// Durations in microseconds. For one thread; several are joined when their threads are done.
class Latencies {
 public:
  void add(BenchClock::duration took) {
    us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }
  /// The smallest that at least this share (0 to 1) does not exceed; 0 when there is none.
  std::int64_t quantile_us(double share) const;
  std::size_t count() const { return us_.size(); }
  /// {"p50":..,"p90":..,"p99":..,"p999":..,"max":..}
  std::string json() const;

 private:
  mutable std::vector<std::int64_t> us_;  // in order once asked
  mutable std::size_t sorted_ = 0;
};

/// Processor time of this process by the names of its threads, in seconds; threads that have ended are left
/// out. Those without a name of their own are the clients'.
std::map<std::string, double> processor_seconds();

/// Bytes that this process caused to be written to disk, as the kernel counts them (proc(5), write_bytes);
/// 0 where it does not.
std::uint64_t disk_bytes_written();

/// Memory of this process that is present, in bytes.
std::uint64_t resident_bytes();

}  // namespace carehub::app
