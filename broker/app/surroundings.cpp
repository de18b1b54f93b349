#include "broker/app/surroundings.hpp"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <istream>
#include <ostream>

namespace carehub::app {
namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

sigset_t reload_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

ExitCode complain(Surroundings& surroundings, const Error& error) {
  return complain(surroundings, exit_code(error.kind), error.text);
}

ExitCode complain(Surroundings& surroundings, ExitCode code, const std::string& text) {
  surroundings.err << "carehub: " << text << std::endl;
  return code;
}

bool confirmed(Surroundings& surroundings, const std::string& what_follows, const std::string& word) {
  surroundings.out << what_follows << " Type `" << word << "` to go on: " << std::flush;
  std::string typed;
  std::getline(surroundings.in, typed);
  return typed == word;
}

StopSignals::StopSignals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

bool StopSignals::stopped_within(std::chrono::milliseconds wait) {
  using std::chrono::steady_clock;
  const sigset_t signals = stop_signals();
  const auto until = steady_clock::now() + wait;
  while (!stopped_) {
    const auto left =
        std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(until - steady_clock::now()));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec time = {seconds.count(), (left - seconds).count()};
    if (sigtimedwait(&signals, nullptr, &time) > 0) {
      stopped_ = true;
    } else if (errno == EAGAIN) {
      break;
    }
  }
  return stopped_;
}

bool StopSignals::reload_asked() {
  const sigset_t signals = reload_signal();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const timespec at_once = {0, 0};
  return sigtimedwait(&signals, nullptr, &at_once) == SIGHUP;
}

}  // namespace carehub::app
