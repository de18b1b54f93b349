#include "broker/app/program.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <regex>

using namespace carehub::app;

namespace {

/// The words of a command line, with '...' as the shell reads it.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool open = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      open = false;
      continue;
    }
    if (!open) words.emplace_back();
    open = true;
    if (c != '\'') words.back() += c;
  }
  return words;
}

/// What the runbook tells people to type: in backquotes, which may go over a line's end, or on a line of its
/// own.
std::vector<std::string> runbook_commands() {
  std::ifstream file(std::string(CAREHUB_SOURCE_DIR) + "/deploy/runbook.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> commands;
  const std::regex typed("`(carehub [^`]*)`|\n    (carehub [^\n]*)");
  for (std::sregex_iterator at(text.begin(), text.end(), typed), end; at != end; ++at) {
    std::string command = (*at)[1].matched ? (*at)[1] : (*at)[2];
    std::replace(command.begin(), command.end(), '\n', ' ');
    commands.push_back(std::move(command));
  }
  return commands;
}

template <class Options>
Options parsed(const std::vector<std::string>& arguments) {
  auto result = parse_command(arguments);
  if (const auto* leave = std::get_if<Leave>(&result)) FAIL(leave->text);
  return std::get<Options>(std::get<Command>(result));
}

Leave left(const std::vector<std::string>& arguments) { return std::get<Leave>(parse_command(arguments)); }

}  // namespace

TEST_CASE("the three ways to run differ in their parts alone") {
  CHECK(parsed<RunOptions>({"run", "hub.toml"}).parts == RunOptions::Parts::all);
  CHECK(parsed<RunOptions>({"broker", "hub.toml"}).parts == RunOptions::Parts::broker);
  const auto adapter = parsed<RunOptions>({"adapter", "hub.toml", "--channel", "a", "--channel", "b"});
  CHECK(adapter.parts == RunOptions::Parts::adapter);
  CHECK(adapter.channels == std::vector<std::string>{"a", "b"});
  CHECK(adapter.config == "hub.toml");
}

TEST_CASE("a bench publishes unless history is named, and keeps to the hub's bounds") {
  const auto plain = parsed<BenchOptions>({"bench"});
  CHECK(plain.work == BenchOptions::Work::publish);
  CHECK(plain.subscribers == 3);
  CHECK_FALSE(plain.curve);
  CHECK(parsed<BenchOptions>({"bench", "--curve"}).curve);
  CHECK_FALSE(parsed<BenchOptions>({"bench", "--no-curve"}).curve);
  const auto history = parsed<BenchOptions>({"bench", "history", "--events", "10000000"});
  CHECK(history.work == BenchOptions::Work::history);
  CHECK(history.events == 10'000'000);
  CHECK(left({"bench", "--window", "5000"}).code == ExitCode::usage);
  CHECK(left({"bench", "--children", "1000000"}).code == ExitCode::usage);
  CHECK(left({"bench", "--events", "0"}).code == ExitCode::usage);
}

TEST_CASE("a loss is accepted by name, with a reason, and by nothing less") {
  const auto looked = parsed<RecoverOptions>({"recover", "hub.toml", "--json"});
  CHECK_FALSE(looked.accept_loss);
  CHECK(looked.json);
  CHECK(left({"recover", "hub.toml", "--accept-loss"}).code == ExitCode::usage);
  for (const char* name : {"--operator", "--by"}) {
    const auto accepted = parsed<RecoverOptions>(
        {"recover", "hub.toml", "--accept-loss", "--reason", "disk 3", name, "A Reader"});
    CHECK(accepted.accept_loss);
    CHECK(accepted.operator_name == "A Reader");
    CHECK(accepted.reason == "disk 3");
  }
}

TEST_CASE("a wrong command line is usage, and help is not") {
  CHECK(left({}).code == ExitCode::usage);
  CHECK(left({"fly"}).code == ExitCode::usage);
  CHECK(left({"run"}).code == ExitCode::usage);
  CHECK(left({"run", "hub.toml", "--fast"}).code == ExitCode::usage);
  CHECK(left({"--help"}).code == ExitCode::ok);
}

TEST_CASE("every command has help with an example of itself, and the program lists them and the exit codes") {
  const std::string all = left({"--help"}).text;
  CHECK(all.find("Exit codes:") != std::string::npos);
  for (const std::string command :
       {"run",      "broker",  "adapter",      "check",         "try",     "publish", "watch",
        "timeline", "replay",  "dead-letters", "subscriptions", "witness", "status",  "backup",
        "restore",  "rebuild", "recover",      "keys",          "bench",   "version"}) {
    INFO(command);
    CHECK(all.find("\n  " + command + " ") != std::string::npos);
    const Leave help = left({command, "--help"});
    CHECK(help.code == ExitCode::ok);
    const auto example = help.text.find("Example:");
    REQUIRE(example != std::string::npos);
    CHECK(help.text.find("carehub " + command + " ", example) != std::string::npos);
    const auto usage = help.text.find("Usage: ");
    REQUIRE(usage != std::string::npos);
    CHECK(help.text.substr(usage).starts_with("Usage: carehub " + command + " ["));
  }
}

TEST_CASE("what the runbook says can be typed as it stands") {
  const auto commands = runbook_commands();
  CHECK(commands.size() > 12);
  for (const std::string& command : commands) {
    INFO(command);
    auto words = words_of(command);
    words.erase(words.begin());
    words.erase(std::find(words.begin(), words.end(), ">"), words.end());  // the shell's own
    if (words.size() == 1) words.emplace_back("--help");                   // only named
    std::replace(words.begin(), words.end(), std::string("N"), std::string("7"));
    std::replace(words.begin(), words.end(), std::string("COMMAND"), std::string("run"));
    const auto parsed = parse_command(words);
    if (const auto* leave = std::get_if<Leave>(&parsed)) {
      INFO(leave->text);
      CHECK(leave->code == ExitCode::ok);
    }
  }
}
