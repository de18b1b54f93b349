#include "broker/app/audit_completeness.hpp"

#include <catch2/catch.hpp>

#include "broker/app/program.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::CompletenessOptions;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

CompletenessOptions look_at(const SmallCounty& county) {
  CompletenessOptions options;
  options.config = county.config();
  options.into = county.folder.path() / "taken";
  options.person.text = "nhs:9990000018";
  options.from = "1";
  options.role = "auditor";
  options.by = "an auditor";
  options.reason = "case review 4";
  return options;
}

}  // namespace

TEST_CASE("a timeline that leaves nothing out is shown to, by the clear bytes of all entries around it") {
  const RunningCounty county;
  for (int each = 0; each < 3; ++each) REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  Told told;
  REQUIRE(app::audit_completeness(look_at(county), told.surroundings) == ExitCode::ok);
  CHECK(told.said("nothing is left out"));
  CHECK(county.folder.read("taken/completeness.json").find(R"("left_out":[])") != std::string::npos);
  CHECK(county.folder.read("taken/leaves.txt").find("Marlow") == std::string::npos);
  CHECK(county.folder.read("taken/events.jsonl").find("Marlow") != std::string::npos);
}

TEST_CASE("a timeline of nobody whom the role may see proves nothing and leaves no folder") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = look_at(county);
  options.role = "desk";  // an operator has no agency's children
  Told told;
  CHECK(app::audit_completeness(options, told.surroundings) == ExitCode::not_found);
  CHECK_FALSE(county.folder.has("taken"));
  CHECK_FALSE(county.folder.has("taken.draft"));
}

TEST_CASE("completeness is asked about somebody, into a folder, by somebody with a reason") {
  const auto usage = [](std::vector<std::string> words) {
    const auto parsed = app::parse_command(std::move(words));
    const auto* leave = std::get_if<app::Leave>(&parsed);
    return leave != nullptr && leave->code == ExitCode::usage;
  };
  std::vector<std::string> asked{"audit",   "completeness", "hub.toml", "--into",   "x", "--role",
                                 "auditor", "--by",         "a",        "--reason", "b"};
  CHECK(usage(asked));
  asked.insert(asked.end(), {"--person", "nhs:1"});
  CHECK_FALSE(usage(asked));
}
