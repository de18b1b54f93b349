#pragma once

#include "broker/base/result.hpp"

namespace carehub::app {

/// What the program's exit code says. Listed in `carehub --help` and in README.md; scripts depend on the
/// numbers.
enum class ExitCode : int {
  ok = 0,
  wrong_input = 1,  // the configuration or the file is wrong; every fault is on standard error
  usage = 2,        // the command line is wrong
  unavailable = 3,  // the hub cannot be reached, or a port is taken
  storage = 4,      // disk full, directory not writable, ledger in use by another hub
  corrupt = 5,      // stored data is damaged: page a human
  denied = 6,
  not_found = 7,
};

/// For errors of the hub and its clients. Errors of opening storage are the caller's to tell apart.
ExitCode exit_code(ErrorKind kind);

}  // namespace carehub::app
