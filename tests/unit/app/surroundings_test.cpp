#include "broker/app/surroundings.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/unit/app/told.hpp"

using namespace carehub;
using namespace carehub::app;
using std::chrono::milliseconds;

namespace {

/// Runs in a process of its own, since signals are the whole process's; whether it held.
template <class Check>
bool holds_in_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a complaint is one line that names the program, and gives the code to leave with") {
  test::Told told;
  CHECK(complain(told.surroundings, Error{ErrorKind::denied, "not yours"}) == ExitCode::denied);
  CHECK(complain(told.surroundings, ExitCode::storage, "disk full") == ExitCode::storage);
  CHECK(told.err.str() == "carehub: not yours\ncarehub: disk full\n");
  CHECK(told.out.str().empty());
}

TEST_CASE("both signals ask to stop, and the wish stays") {
  for (const int signal : {SIGINT, SIGTERM}) {
    CHECK(holds_in_child([signal] {
      StopSignals signals;
      if (signals.stopped_within(milliseconds(0))) return false;
      ::kill(::getpid(), signal);
      return signals.stopped_within(milliseconds(120'000)) && signals.stopped_within(milliseconds(0));
    }));
  }
}

TEST_CASE(
    "a hangup asks once to read the configuration again, stops nothing, and is met by whoever asks alone") {
  CHECK(holds_in_child([] {
    StopSignals signals;
    if (signals.reload_asked()) return false;
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGHUP);  // signals do not add up
    return !signals.stopped_within(milliseconds(0)) && signals.reload_asked() && !signals.reload_asked();
  }));
  CHECK_FALSE(holds_in_child([] {
    const StopSignals signals;
    ::kill(::getpid(), SIGHUP);
    return true;
  }));
}

TEST_CASE("without a signal the wait ends with its time, and another signal does not end it") {
  CHECK(holds_in_child([] {
    StopSignals signals;
    std::signal(SIGUSR1, [](int) {});
    ::kill(::getpid(), SIGUSR1);
    return !signals.stopped_within(milliseconds(5));
  }));
}

TEST_CASE("a pipe whose reader has gone is an error to report, not the end of the program") {
  CHECK(holds_in_child([] {
    const StopSignals signals;
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return false;
    ::close(ends[0]);
    return ::write(ends[1], "x", 1) == -1 && errno == EPIPE;
  }));
}
