#include <catch2/catch.hpp>

#include "broker/app/program.hpp"

using namespace carehub::app;
using Action = AccountsOptions::Action;

TEST_CASE("the accounts' command line is read, and holds no password") {
  const auto parsed = parse_command({"accounts", "add", "hub.toml", "jo", "--roles", "a,b", "--until",
                                     "2027-01-31", "--password-file", "p"});
  const auto* command = std::get_if<Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto& options = std::get<AccountsOptions>(*command);
  CHECK(options.action == Action::add);
  CHECK(options.config == "hub.toml");
  CHECK(options.name == "jo");
  CHECK(options.roles == "a,b");
  CHECK(options.until == "2027-01-31");
  CHECK(options.password_file == "p");
}

TEST_CASE("an accounts' command line that lacks something is refused") {
  const std::vector<std::vector<std::string>> wrong = {
      {"accounts", "add", "hub.toml", "jo"},
      {"accounts", "add", "hub.toml", "--roles", "a"},
      {"accounts", "remove", "hub.toml"},
      {"accounts", "list", "hub.toml", "jo"},
      {"accounts", "remove", "hub.toml", "jo", "--roles", "a"},
      {"accounts", "change", "hub.toml", "jo"},
      {"accounts", "add", "hub.toml", "jo", "--roles", "a", "--password", "secret"}};
  for (const auto& words : wrong) {
    const auto parsed = parse_command(words);
    REQUIRE(std::holds_alternative<Leave>(parsed));
    CHECK(std::get<Leave>(parsed).code == ExitCode::usage);
  }
}
