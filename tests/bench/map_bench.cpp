#include <sodium.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "adapters/channel/interpreter.hpp"
#include "tests/bench/admissions.hpp"

using namespace carehub;

namespace {

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec) + static_cast<double>(used.ru_utime.tv_usec) / 1e6;
}

}  // namespace

/// HL7 bytes to a finished publication, on one thread, without a hub.
int main(int argc, char** argv) {
  if (sodium_init() < 0) return 1;
  const unsigned count = argc > 1 ? static_cast<unsigned>(std::max(1'000, std::atoi(argv[1]))) : 100'000;
  std::vector<ConfigFault> faults;
  const std::filesystem::path source = CAREHUB_SOURCE_DIR;
  const auto pack = adapters::load_pack(source / "adapters/hospital/hl7v2.toml",
                                        source / "deploy/sample/elwick.toml", faults);
  if (!pack) {
    std::fprintf(stderr, "bench: the hospital's pack has %zu faults\n", faults.size());
    return 1;
  }
  SystemRandom random;
  const auto interpreter = adapters::make_interpreter(
      pack, {.agency = "elwick-hospital", .channel = "elwick-adt", .random = &random});
  const adapters::Arrival arrival{.received_at = SystemClock().now(), .source = "bench", .headers = {}};
  std::vector<Bytes> messages;
  messages.reserve(count);
  std::size_t bytes = 0;
  for (const std::string& text : bench::admissions(0, count)) {
    const BytesView view = bytes_of(text);
    messages.emplace_back(view.begin(), view.end());
    bytes += text.size();
  }
  std::size_t event_bytes = 0, events = 0, problems = 0;
  const double cpu_before = processor_seconds();
  const auto begun = std::chrono::steady_clock::now();
  for (Bytes& message : messages) {
    const auto inbound = interpreter->interpret(std::move(message), arrival);
    for (const client::Publication& publication : inbound->take_publications()) {
      ++(publication.problem ? problems : events);
      event_bytes += publication.event.size();
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const double cpu = processor_seconds() - cpu_before;
  std::printf(
      "parse+map  %u messages of %zu bytes  %8.0f messages/s  %.2f us of processor a message; %zu events of "
      "%zu bytes, %zu problems\n",
      count, bytes / count, count / seconds, cpu * 1e6 / count, events,
      event_bytes / std::max<std::size_t>(1, events), problems);
  return 0;
}
