#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "broker/app/program.hpp"
#include "broker/server/log.hpp"

int main(int count, char** values) {
  carehub::server::forbid_core_dumps();
  // A connection is a file: as many as the system allows, so that a client that opens them without end takes
  // none from the ledger.
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  // A file at its size limit and a pipe without a reader are errors to report, not ways to die.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);

  carehub::app::StopSignals signals;
  carehub::app::Surroundings surroundings{
      std::cin,
      std::cout,
      std::cerr,
      [&signals](std::chrono::milliseconds wait) { return signals.stopped_within(wait); },
      ::isatty(STDIN_FILENO) == 1,
      [&signals] { return signals.reload_asked(); }};
  return static_cast<int>(carehub::app::run_program({values + 1, values + count}, surroundings));
}
