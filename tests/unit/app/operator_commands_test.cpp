#include "broker/app/program.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub::app;

namespace {

template <class Options>
Options parsed(const std::vector<std::string>& arguments) {
  auto result = parse_command(arguments);
  if (const auto* leave = std::get_if<Leave>(&result)) FAIL(leave->text);
  return std::get<Options>(std::get<Command>(result));
}

Leave left(const std::vector<std::string>& arguments) { return std::get<Leave>(parse_command(arguments)); }

}  // namespace

TEST_CASE("a question about a child says who asks, why, and about whom") {
  CHECK(left({"timeline", "hub.toml", "--person", "nhs:1", "--role", "r", "--by", "b"}).code ==
        ExitCode::usage);
  CHECK(left({"timeline", "hub.toml", "--person", "nhs:1", "--role", "r", "--reason", "x"}).code ==
        ExitCode::usage);
  CHECK(left({"timeline", "hub.toml", "--role", "r", "--by", "b", "--reason", "x"}).code == ExitCode::usage);
  CHECK(left({"timeline", "hub.toml", "--person", "nhs:1", "--person-file", "f", "--role", "r", "--by", "b",
              "--reason", "x"})
            .code == ExitCode::usage);
  CHECK(parsed<ReplayOptions>({"replay", "hub.toml", "--role", "r", "--by", "b", "--reason", "x", "--preview",
                               "--first", "3", "--last", "9"})
            .last == 9);
}

TEST_CASE("a replay names where it goes, once, and its file is no number") {
  const std::vector<std::string> asked = {"replay", "hub.toml", "--by", "b", "--reason", "x"};
  const auto with = [&asked](std::vector<std::string> more) {
    auto words = asked;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  CHECK(parsed<ReplayOptions>(with({"--into", "desk", "--rate", "120"})).rate == 120);
  CHECK(parsed<ReplayOptions>(with({"--role", "r", "--to", "f.json", "--resume"})).resume);
  for (const auto& wrong : std::vector<std::vector<std::string>>{{},
                                                                 {"--role", "r", "--into", "desk"},
                                                                 {"--into", "desk", "--to", "f.json"},
                                                                 {"--role", "r", "--to", "17"},
                                                                 {"--role", "r", "--resume"},
                                                                 {"--role", "r", "--raise-notices"}}) {
    CHECK(left(with(wrong)).code == ExitCode::usage);
  }
}

TEST_CASE("handling a dead letter names it, the person who decides and the reason") {
  using Action = DeadLetterOptions::Action;
  CHECK(parsed<DeadLetterOptions>({"dead-letters", "hub.toml"}).action == Action::list);
  CHECK(left({"dead-letters", "hub.toml", "discard"}).code == ExitCode::usage);
  CHECK(left({"dead-letters", "hub.toml", "burn"}).code == ExitCode::usage);
  CHECK(left({"dead-letters", "hub.toml", "2"}).code == ExitCode::usage);
  CHECK(left({"dead-letters", "hub.toml", "send-again", "--all"}).code == ExitCode::usage);
  CHECK(parsed<DeadLetterOptions>({"dead-letters", "hub.toml", "discard", "--all", "--code", "http 422",
                                   "--by", "a", "--reason", "b"})
            .code == "http 422");
  CHECK(left({"dead-letters", "hub.toml", "show", "--by", "a", "--reason", "b"}).code == ExitCode::usage);
  const auto again =
      parsed<DeadLetterOptions>({"dead-letters", "hub.toml", "send-again", "--subscription", "desk",
                                 "--sequence", "7", "--by", "A", "--reason", "mended"});
  CHECK(again.action == Action::send_again);
  CHECK(again.sequence == 7);
}

TEST_CASE("mending a dead letter names the one, the event that goes in its place, who decides and why") {
  const std::vector<std::string> whole = {
      "dead-letters", "hub.toml", "mend",     "--subscription", "desk",    "--sequence", "7",
      "--by",         "A",        "--reason", "old code",       "--event", "m.json"};
  const auto mend = parsed<DeadLetterOptions>(whole);
  CHECK(mend.action == DeadLetterOptions::Action::mend);
  CHECK(mend.event == "m.json");
  for (const auto* option : {"--subscription", "--sequence", "--by", "--reason", "--event"}) {
    auto without = whole;
    const auto at = std::ranges::find(without, option);
    without.erase(at, at + 2);
    CHECK(left(without).code == ExitCode::usage);
  }
  auto all = whole;
  all.emplace_back("--all");
  CHECK(left(all).code == ExitCode::usage);
  auto discard = whole;
  discard[2] = "discard";
  CHECK(left(discard).code == ExitCode::usage);
}

TEST_CASE("a subscription is changed by name, by whom and why, and only a reset says where to") {
  using Action = SubscriptionsOptions::Action;
  CHECK(parsed<SubscriptionsOptions>({"subscriptions", "hub.toml"}).action == Action::list);
  CHECK(left({"subscriptions", "hub.toml", "pause", "desk"}).code == ExitCode::usage);
  CHECK(left({"subscriptions", "hub.toml", "reset", "desk", "--by", "a", "--reason", "b"}).code ==
        ExitCode::usage);
  CHECK(left({"subscriptions", "hub.toml", "pause", "desk", "--by", "a", "--reason", "b", "--to", "now"})
            .code == ExitCode::usage);
  const auto reset = parsed<SubscriptionsOptions>(
      {"subscriptions", "hub.toml", "reset", "desk", "--to", "1234", "--by", "a", "--reason", "b"});
  CHECK(reset.action == Action::reset);
  CHECK(reset.name == "desk");
  CHECK(reset.to == "1234");
}
