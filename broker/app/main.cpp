#include <sys/resource.h>

#include <csignal>
#include <iostream>

#include "broker/app/program.hpp"

int main(int count, char** values) {
  // A core file would hold what children's records say.
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // A file at its size limit and a pipe without a reader are errors to report, not ways to die.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);

  carehub::app::StopSignals signals;
  carehub::app::Surroundings surroundings{
      std::cin, std::cout, std::cerr,
      [&signals](std::chrono::milliseconds wait) { return signals.stopped_within(wait); }};
  return static_cast<int>(carehub::app::run_program({values + 1, values + count}, surroundings));
}
