#include <catch2/catch.hpp>

#include "broker/app/program.hpp"

using namespace carehub::app;

namespace {

WitnessOptions parsed(std::vector<std::string> arguments) {
  auto command = parse_command(std::move(arguments));
  REQUIRE(std::holds_alternative<Command>(command));
  return std::get<WitnessOptions>(std::get<Command>(command));
}

bool is_usage(std::vector<std::string> arguments) {
  const auto command = parse_command(std::move(arguments));
  const auto* leave = std::get_if<Leave>(&command);
  return leave != nullptr && leave->code == ExitCode::usage;
}

}  // namespace

TEST_CASE("a witness is told where the hub is, whose keys sign there, and where it remembers") {
  const auto options = parsed({"witness", "--hub", "ipc:///srv/hub.sock", "--keys", "hub.keys", "--key",
                               "witness.key", "--memory", "seen", "--interval", "60"});
  CHECK(options.action == WitnessOptions::Action::run);
  CHECK(options.hub == "ipc:///srv/hub.sock");
  CHECK(options.keys == "hub.keys");
  CHECK(options.memory == "seen");
  CHECK(options.interval_s == 60);
  CHECK_FALSE(options.once);
  CHECK(is_usage({"witness", "--key", "witness.key"}));
  CHECK(is_usage({"witness", "--hub", "x", "--keys", "k", "--memory", "m"}));
  CHECK(is_usage({"witness", "--hub", "x", "--keys", "k", "--memory", "m", "--key", "w", "--interval", "0"}));
}

TEST_CASE("a new witness's key has a name") {
  const auto options = parsed({"witness", "keygen", "--name", "w.example", "--key", "witness.key", "--json"});
  CHECK(options.action == WitnessOptions::Action::keygen);
  CHECK(options.name == "w.example");
  CHECK(options.json);
  CHECK(is_usage({"witness", "keygen", "--key", "witness.key"}));
}
