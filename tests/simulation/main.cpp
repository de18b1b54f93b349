#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/simulation/runner.hpp"

// simulation [--seeds N] [--from S] [--jobs J] [--expect-failure] [--history]

namespace {

using namespace carehub::simulation;

struct Options {
  std::uint64_t seeds = 100;
  std::uint64_t from = 1;
  std::uint64_t jobs = 1;
  bool expects_failure = false;
  bool history = false;
};

bool read_options(int count, char** values, Options& options) {
  for (int each = 1; each < count; ++each) {
    const std::string name = values[each];
    if (name == "--expect-failure") {
      options.expects_failure = true;
      continue;
    }
    if (name == "--history") {
      options.history = true;
      continue;
    }
    std::uint64_t* number = name == "--seeds"  ? &options.seeds
                            : name == "--from" ? &options.from
                            : name == "--jobs" ? &options.jobs
                                               : nullptr;
    if (number == nullptr || ++each == count) return false;
    char* end = nullptr;
    *number = std::strtoull(values[each], &end, 10);
    if (*end != '\0' || *number == 0) return false;
  }
  return true;
}

/// Runs every `jobs`th seed and writes the first that fails.
[[noreturn]] void work(const Options& options, std::uint64_t job, int results) {
  for (std::uint64_t each = job; each < options.seeds; each += options.jobs) {
    const std::uint64_t seed = options.from + each;
    if (!run_apart(make_plan(seed), false).failed) continue;
    if (::write(results, &seed, sizeof seed) != sizeof seed) std::abort();
    break;
  }
  std::_Exit(0);
}

/// The first seed that fails; 0: none.
std::uint64_t first_failing(const Options& options) {
  std::array<int, 2> results{};
  if (::pipe(results.data()) != 0) std::abort();
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) work(options, job, results[1]);
  }
  ::close(results[1]);
  std::uint64_t first = 0;
  std::uint64_t seed = 0;
  while (::read(results[0], &seed, sizeof seed) == sizeof seed) {
    if (first == 0 || seed < first) first = seed;
  }
  ::close(results[0]);
  while (::wait(nullptr) > 0) {
  }
  return first;
}

}  // namespace

int main(int count, char** values) {
  Options options;
  if (!read_options(count, values, options)) {
    std::cerr << "usage: simulation [--seeds N] [--from S] [--jobs J] [--expect-failure] [--history]\n";
    return 2;
  }
  if (options.history) {
    const Outcome outcome = run_apart(make_plan(options.from), true);
    for (const std::string& line : outcome.history) std::cout << line << "\n";
    if (outcome.failed) std::cout << outcome.promise << ": " << outcome.how << "\n";
    return outcome.failed ? 1 : 0;
  }
  const auto started = std::chrono::steady_clock::now();
  const std::uint64_t failing = first_failing(options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  if (failing == 0) {
    std::cout << "seeds " << options.from << " to " << options.from + options.seeds - 1
              << ": every promise was kept; "
              << static_cast<std::uint64_t>(60.0 * static_cast<double>(options.seeds) / took.count())
              << " seeds a minute\n";
    if (options.expects_failure) std::cout << "the fault that was put in was not found\n";
    return options.expects_failure ? 1 : 0;
  }
  const Plan plan = make_plan(failing);
  const Outcome outcome = run_apart(plan, false);
  if (options.expects_failure) {
    std::cout << "the fault was found by seed " << failing << ": " << outcome.promise << ": " << outcome.how
              << "\n";
    return 0;
  }
  std::cout << explain(plan, outcome) << "again with: tests/simulation/run --seeds 1 --from " << failing
            << "\n";
  return 1;
}
