#include <catch2/catch.hpp>

#include "broker/app/program.hpp"

using namespace carehub;
using Words = std::vector<std::string>;

namespace {

template <class Options>
Options read(const Words& words) {
  const auto parsed = app::parse_command(words);
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<Options>(command);
  REQUIRE(options != nullptr);
  return *options;
}

bool is_refused(const Words& words) {
  const auto parsed = app::parse_command(words);
  const auto* leave = std::get_if<app::Leave>(&parsed);
  return leave != nullptr && leave->code == app::ExitCode::usage;
}

}  // namespace

TEST_CASE("child mark and unmark need a person, marks that there are, who asks and why") {
  const Words words{"child",  "mark",  "hub.toml", "--person", "nhs:9990000018", "--mark", "adopted",
                    "--mark", "other", "--by",     "me",       "--reason",       "a test"};
  const auto mark = read<app::MarkOptions>(words);
  CHECK(mark.config == "hub.toml");
  CHECK(mark.person.text == "nhs:9990000018");
  CHECK(mark.marks == Words{"adopted", "other"});
  CHECK_FALSE(mark.lift);
  auto unmark = words;
  unmark[1] = "unmark";
  CHECK(read<app::MarkOptions>(unmark).lift);
  auto misspelt = words;
  misspelt[6] = "adoptd";
  CHECK(is_refused(misspelt));
  CHECK(is_refused({"child"}));
  CHECK(is_refused({"child", "mark", "hub.toml", "--mark", "other", "--by", "me", "--reason", "r"}));
  CHECK(is_refused({"child", "mark", "hub.toml", "--person", "-", "--by", "me", "--reason", "r"}));
  CHECK(is_refused({"child", "mark", "hub.toml", "--person", "-", "--mark", "other", "--by", "me"}));
}

TEST_CASE("break-glass needs a person, a role, minutes, who asks and why") {
  const Words words{"break-glass", "hub.toml", "--person", "-",  "--role",   "night",
                    "--minutes",   "20",       "--by",     "me", "--reason", "a test"};
  const auto options = read<app::BreakGlassOptions>(words);
  CHECK(options.role == "night");
  CHECK(options.minutes == 20);
  CHECK(options.by == "me");
  for (std::size_t at = 2; at < words.size(); at += 2) {
    auto less = words;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(at),
               less.begin() + static_cast<std::ptrdiff_t>(at) + 2);
    CAPTURE(words[at]);
    CHECK(is_refused(less));
  }
}
