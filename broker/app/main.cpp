#include <sys/resource.h>

#include <iostream>

#include "broker/app/program.hpp"

int main(int count, char** values) {
  // A core file would hold what children's records say.
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);

  carehub::app::StopSignals signals;
  carehub::app::Surroundings surroundings{
      std::cin, std::cout, std::cerr,
      [&signals](std::chrono::milliseconds wait) { return signals.stopped_within(wait); }};
  return static_cast<int>(carehub::app::run_program({values + 1, values + count}, surroundings));
}
