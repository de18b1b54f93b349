#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <string>

#include "broker/app/exit_code.hpp"
#include "broker/base/result.hpp"

namespace carehub::app {

/// What a command sees of the world, passed in so that tests can be on the other side of it.
struct Surroundings {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// Waits at most so long; true when the program has been asked to stop.
  std::function<bool(std::chrono::milliseconds)> stopped_within;
  bool somebody_to_ask = false;  // `in` is a terminal
  /// True once after each wish to read the configuration again. Who asks takes such wishes from then on.
  std::function<bool()> reload_asked = [] { return false; };
};

/// One line on standard error, "carehub: TEXT", and the code to leave with.
ExitCode complain(Surroundings& surroundings, const Error& error);
ExitCode complain(Surroundings& surroundings, ExitCode code, const std::string& text);

/// Tells what follows and waits for a person to type one word; whether it was `word`.
bool confirmed(Surroundings& surroundings, const std::string& what_follows, const std::string& word);
constexpr const char* kNobodyToAsk = "there is no terminal to ask: say --yes, or --preview";

/// SIGINT and SIGTERM, blocked in this thread and in those that it starts from now on, so that they are met
/// only in wait(). SIGPIPE is ignored. Make one before any thread.
class StopSignals {
 public:
  StopSignals();
  bool stopped_within(std::chrono::milliseconds wait);

  /// Whether SIGHUP has come since it was asked last. From the first question on it is blocked as the others
  /// are; before, it ends the program, as it does when a terminal closes.
  bool reload_asked();

 private:
  bool stopped_ = false;
};

}  // namespace carehub::app
