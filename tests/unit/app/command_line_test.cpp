#include "broker/app/command_line.hpp"

#include <catch2/catch.hpp>

using namespace carehub::app;

namespace {

template <class Options>
Options parsed(const std::vector<std::string>& arguments) {
  auto result = parse_command(arguments);
  if (const auto* leave = std::get_if<Leave>(&result)) FAIL(leave->text);
  return std::get<Options>(std::get<Command>(result));
}

}  // namespace

TEST_CASE("conditions of a filter keep their order and their words") {
  const auto watch =
      parsed<WatchOptions>({"watch", "hub.toml", "--role", "tier4-case-manager", "--type", "admission",
                            "--type", "discharge", "--tier", "4", "--age-max", "18", "--json"});
  CHECK(watch.role == "tier4-case-manager");
  CHECK(watch.json);
  CHECK(watch.filter ==
        FilterWords{{"types", "admission"}, {"types", "discharge"}, {"tiers", "4"}, {"age_max", "18"}});
}

TEST_CASE("options may come before or after the configuration") {
  CHECK(parsed<PublishOptions>({"publish", "hub.toml", "--agency", "council", "event.json"}).file ==
        "event.json");
  CHECK(parsed<PublishOptions>({"publish", "hub.toml", "event.json", "--agency", "council"}).agency ==
        "council");
}

TEST_CASE("a single dash stands for standard input") {
  CHECK(parsed<TryOptions>({"try", "hub.toml", "--channel", "adt", "-"}).file == "-");
  const auto timeline = parsed<TimelineOptions>(
      {"timeline", "hub.toml", "--person", "-", "--role", "r", "--by", "b", "--reason", "why"});
  CHECK(timeline.person.text == "-");
}

TEST_CASE("a person that is given as nothing was given all the same") {
  const auto replay = parsed<ReplayOptions>(
      {"replay", "hub.toml", "--role", "r", "--by", "b", "--reason", "x", "--person", ""});
  CHECK(replay.person.given());
  CHECK_FALSE(parsed<ReplayOptions>({"replay", "hub.toml", "--role", "r", "--by", "b", "--reason", "x"})
                  .person.given());
}
