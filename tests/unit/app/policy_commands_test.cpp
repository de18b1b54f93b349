#include <catch2/catch.hpp>

#include "broker/app/program.hpp"

using namespace carehub;
using app::Leave;
using app::PolicyExplainOptions;

TEST_CASE("policy explain needs a role, an event, who asks and why") {
  const auto parsed =
      app::parse_command({"policy", "explain", "hub.toml", "--role", "desk", "--event", "7", "--agency",
                          "council", "--policy", "next.toml", "--by", "me", "--reason", "a test", "--json"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<PolicyExplainOptions>(command);
  REQUIRE(options != nullptr);
  CHECK(options->config == "hub.toml");
  CHECK(options->role == "desk");
  CHECK(options->event == 7);
  CHECK(options->agency == "council");
  CHECK(options->policy == "next.toml");
  CHECK(options->by == "me");
  CHECK(options->reason == "a test");
  CHECK(options->json);
  for (const auto& words :
       {std::vector<std::string>{"policy"}, std::vector<std::string>{"policy", "explain", "hub.toml"},
        std::vector<std::string>{"policy", "explain", "hub.toml", "--role", "desk", "--event", "7"}}) {
    const auto refused = app::parse_command(words);
    const auto* leave = std::get_if<Leave>(&refused);
    REQUIRE(leave != nullptr);
    CHECK(leave->code == app::ExitCode::usage);
  }
}

TEST_CASE("policy diff needs two policies, who asks and why, and a number of days that there is") {
  const auto parsed = app::parse_command({"policy", "diff", "hub.toml", "current", "next.toml", "--days", "7",
                                          "--csv", "--by", "me", "--reason", "a test"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<app::PolicyDiffOptions>(command);
  REQUIRE(options != nullptr);
  CHECK(options->config == "hub.toml");
  CHECK(options->old_policy == "current");
  CHECK(options->new_policy == "next.toml");
  CHECK(options->days == 7);
  CHECK(options->csv);
  CHECK(options->by == "me");
  CHECK(options->reason == "a test");
  const std::vector<std::string> whole = {"policy", "diff", "hub.toml", "a", "b",
                                          "--by",   "me",   "--reason", "r"};
  const auto usual = app::parse_command(whole);
  REQUIRE(std::get_if<app::Command>(&usual) != nullptr);
  CHECK(std::get<app::PolicyDiffOptions>(std::get<app::Command>(usual)).days == 30);
  auto json = whole;
  json.emplace_back("--json");
  const auto for_programs = app::parse_command(json);
  REQUIRE(std::get_if<app::Command>(&for_programs) != nullptr);
  CHECK(std::get<app::PolicyDiffOptions>(std::get<app::Command>(for_programs)).json);
  json.emplace_back("--csv");
  const auto both = app::parse_command(json);
  REQUIRE(std::get_if<Leave>(&both) != nullptr);
  CHECK(std::get<Leave>(both).code == app::ExitCode::usage);
  for (const auto* days : {"0", "3661", "-1", "many"}) {
    auto words = whole;
    words.insert(words.end(), {"--days", days});
    const auto refused = app::parse_command(words);
    const auto* leave = std::get_if<Leave>(&refused);
    REQUIRE(leave != nullptr);
    CHECK(leave->code == app::ExitCode::usage);
  }
  for (const auto& words :
       {std::vector<std::string>{"policy", "diff", "hub.toml", "current", "--by", "me", "--reason", "r"},
        std::vector<std::string>{"policy", "diff", "hub.toml", "current", "next.toml", "--by", "me"}}) {
    const auto refused = app::parse_command(words);
    const auto* leave = std::get_if<Leave>(&refused);
    REQUIRE(leave != nullptr);
    CHECK(leave->code == app::ExitCode::usage);
  }
}

TEST_CASE("policy apply needs a file, who asks and why, and asks unless told not to") {
  const auto parsed = app::parse_command(
      {"policy", "apply", "hub.toml", "next.toml", "--yes", "--by", "me", "--reason", "a test"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<app::PolicyApplyOptions>(command);
  REQUIRE(options != nullptr);
  CHECK(options->config == "hub.toml");
  CHECK(options->policy == "next.toml");
  CHECK(options->yes);
  CHECK_FALSE(options->preview);
  for (const auto& words :
       {std::vector<std::string>{"policy", "apply", "hub.toml", "--by", "me", "--reason", "r"},
        std::vector<std::string>{"policy", "apply", "hub.toml", "next.toml", "--by", "me"},
        std::vector<std::string>{"policy", "apply", "hub.toml", "next.toml", "--yes", "--preview", "--by",
                                 "me", "--reason", "r"}}) {
    const auto refused = app::parse_command(words);
    const auto* leave = std::get_if<Leave>(&refused);
    REQUIRE(leave != nullptr);
    CHECK(leave->code == app::ExitCode::usage);
  }
}
