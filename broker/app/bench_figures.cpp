#include "broker/app/bench_figures.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace carehub::app {
namespace {

std::string whole_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Time on a processor of one thread. The scheduler counts nanoseconds; where the kernel does not show them,
/// the stat file of proc(5) has ticks behind a name that may hold blanks.
double seconds_of(const std::filesystem::path& task) {
  if (const std::string exact = whole_file(task / "schedstat"); !exact.empty())
    return static_cast<double>(std::strtoull(exact.c_str(), nullptr, 10)) / 1e9;
  const std::string stat = whole_file(task / "stat");
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string skipped;
  for (int each = 0; each < 11; ++each) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::uint64_t number_after(const std::string& text, const std::string& label) {
  const auto found = text.find(label);
  return found == std::string::npos ? 0 : std::strtoull(text.c_str() + found + label.size(), nullptr, 10);
}

/// "rocksdb:low3" and "rocksdb:low4" are of one kind.
std::string kind_of(std::string name) {
  while (!name.empty() && (name.back() == '\n' || (name.back() >= '0' && name.back() <= '9')))
    name.pop_back();
  return name;
}

}  // namespace

std::int64_t Latencies::quantile_us(double share) const {
  if (us_.empty()) return 0;
  if (sorted_ != us_.size()) {
    std::sort(us_.begin(), us_.end());
    sorted_ = us_.size();
  }
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(us_.size())));
  return us_[std::clamp<std::size_t>(rank, 1, us_.size()) - 1];
}

std::string Latencies::json() const {
  return fmt::format(R"({{"p50":{},"p90":{},"p99":{},"p999":{},"max":{}}})", quantile_us(0.5),
                     quantile_us(0.9), quantile_us(0.99), quantile_us(0.999), quantile_us(1));
}

std::map<std::string, double> processor_seconds() {
  const std::string own = kind_of(whole_file("/proc/self/comm"));
  std::map<std::string, double> seconds;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const std::string name = kind_of(whole_file(task.path() / "comm"));
    seconds[name == own ? "clients" : name] += seconds_of(task.path());
  }
  return seconds;
}

std::uint64_t disk_bytes_written() { return number_after(whole_file("/proc/self/io"), "\nwrite_bytes: "); }

std::uint64_t resident_bytes() { return 1024 * number_after(whole_file("/proc/self/status"), "\nVmRSS:"); }

}  // namespace carehub::app
