#include "tests/simulation/runner.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <sstream>

#include "broker/server/log.hpp"
#include "tests/simulation/world.hpp"

namespace carehub::simulation {
namespace {

constexpr unsigned kRunSecondsMax = 120;
constexpr std::size_t kTriesMax = 1'500;
constexpr std::size_t kHistoryLinesMax = 250;
constexpr const char* kEnd = "\x1e";

void write_all(int file, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(file, text.data() + written, text.size() - written);
    if (count <= 0) return;
    written += static_cast<std::size_t>(count);
  }
}

std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t count = 0; (count = ::read(file, part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(count));
  ::close(file);
  return text;
}

[[noreturn]] void play_and_tell(const Plan& plan, bool tells, int results, int errors) {
  ::alarm(kRunSecondsMax);
  ::dup2(errors, STDERR_FILENO);
  if (!server::start_log({"/dev/null", true})) std::abort();
  Verdict verdict(tells);
  play(plan, verdict);
  std::string text = verdict.promise() + kEnd + verdict.how() + kEnd;
  for (const std::string& line : verdict.history()) text += line + kEnd;
  write_all(results, text);
  write_all(results, "whole");
  std::_Exit(0);
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t end = 0; (end = text.find(kEnd, from)) != std::string::npos; from = end + 1)
    parts.push_back(text.substr(from, end - from));
  parts.push_back(text.substr(from));
  return parts;
}

}  // namespace

Outcome run_apart(const Plan& plan, bool tells) {
  std::array<int, 2> results{};
  std::array<int, 2> errors{};
  if (::pipe(results.data()) != 0 || ::pipe(errors.data()) != 0) std::abort();
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) {
    ::close(results[0]);
    ::close(errors[0]);
    play_and_tell(plan, tells, results[1], errors[1]);
  }
  ::close(results[1]);
  ::close(errors[1]);
  const auto parts = parts_of(read_all(results[0]));
  const std::string said = read_all(errors[0]);
  int status = 0;
  ::waitpid(child, &status, 0);

  Outcome outcome;
  if (parts.back() != "whole") {
    const bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    outcome.failed = true;
    outcome.promise = hangs ? "the hub comes to an end with each step" : "the hub's own assertions hold";
    outcome.how = said.empty() ? "ended by signal " + std::to_string(WTERMSIG(status)) : said;
    return outcome;
  }
  outcome.promise = parts[0];
  outcome.how = parts[1];
  outcome.failed = !outcome.promise.empty();
  outcome.history.assign(parts.begin() + 2, parts.end() - 1);
  return outcome;
}

std::string explain(const Plan& failing, const Outcome& outcome) {
  const Plan shortest = shorten(
      failing,
      [&](const Plan& plan) {
        const Outcome again = run_apart(plan, false);
        return again.failed && again.promise == outcome.promise;
      },
      kTriesMax);
  const Outcome told = run_apart(shortest, true);
  std::map<std::string, int> kinds;
  for (const Action& action : shortest.actions) ++kinds[name_of(action.kind)];

  std::ostringstream text;
  text << "seed " << failing.seed << " breaks a promise: " << outcome.promise << "\n  " << outcome.how
       << "\nthe shortest history found has " << shortest.actions.size() << " of " << failing.actions.size()
       << " actions:";
  for (const auto& [kind, count] : kinds) text << " " << count << " " << kind << ",";
  text << " and then " << told.how << "\n";
  const std::size_t skipped =
      told.history.size() > kHistoryLinesMax ? told.history.size() - kHistoryLinesMax : 0;
  if (skipped > 0) text << "  (" << skipped << " lines before)\n";
  for (std::size_t line = skipped; line < told.history.size(); ++line)
    text << "  " << told.history[line] << "\n";
  return text.str();
}

}  // namespace carehub::simulation
