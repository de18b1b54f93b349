#include "broker/app/audit_export.hpp"

#include <catch2/catch.hpp>

#include "broker/app/program.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using app::ExportOptions;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

ExportOptions export_of(const SmallCounty& county) {
  ExportOptions options;
  options.config = county.config();
  options.into = county.folder.path() / "taken";
  options.role = "auditor";
  options.by = "an auditor";
  options.reason = "case review 4";
  return options;
}

}  // namespace

TEST_CASE("a person's export is a whole folder, and its asking is in the trail") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = export_of(county);
  options.person.text = "nhs:9990000018";
  Told told;
  REQUIRE(app::audit_export(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("SHA-256 of MANIFEST.sha256: "));
  CHECK(county.folder.files("taken") ==
        std::set<std::string>{"MANIFEST.sha256", "README.txt", "checkpoint", "checkpoint.keys",
                              "disclosures.csv", "disclosures.jsonl", "entries.csv", "entries.jsonl",
                              "events.csv", "events.jsonl", "export.json", "trail.csv", "trail.jsonl",
                              "verify.py"});
  CHECK(county.folder.read("taken/events.jsonl").find("Marlow") != std::string::npos);
  CHECK(county.folder.read("taken/entries.jsonl").find("Marlow") == std::string::npos);
  CHECK(county.folder.read("taken/trail.jsonl").find("export: case review 4") != std::string::npos);
  CHECK_FALSE(county.folder.has("taken.draft"));
  const auto shown = county.folder.read("taken/disclosures.jsonl");
  CHECK(shown.find(R"("subscription":"council-desk")") != std::string::npos);
  CHECK(shown.find(R"("decided_in":)") != std::string::npos);
  CHECK(county.folder.read("taken/events.jsonl").find("council-desk") == std::string::npos);
  CHECK(county.folder.read("taken/entries.jsonl").find(R"("kind":"offered")") != std::string::npos);

  CHECK(shown.find("Marlow") == std::string::npos);
  CHECK(county.folder.read("taken/disclosures.csv").find("Marlow") == std::string::npos);

  Told again;
  CHECK(app::audit_export(options, again.surroundings) == ExitCode::wrong_input);
  CHECK(again.complained("name a new folder"));
}

TEST_CASE("what other roles saw is in an export that asks for it, and the trail says that it was asked for") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = export_of(county);
  options.person.text = "nhs:9990000018";
  options.every_view = true;
  Told told;
  REQUIRE(app::audit_export(options, told.surroundings) == ExitCode::ok);
  CHECK(county.folder.read("taken/disclosures.jsonl").find("Marlow") != std::string::npos);
  CHECK(county.folder.read("taken/README.txt").find("what every role saw") != std::string::npos);
  CHECK(county.folder.read("taken/trail.jsonl").find("export with every view: case review 4") !=
        std::string::npos);
}

TEST_CASE("what was delivered in the role that is asked in stands in its export") {
  const RunningCounty county(app::RunOptions::Parts::broker, [](const SmallCounty& before) {
    before.change("role = \"desk\"", "role = \"auditor\"");
    before.change("roles = [\"desk\"]", "roles = [\"auditor\"]");
  });
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = export_of(county);
  options.person.text = "nhs:9990000018";
  Told told;
  REQUIRE(app::audit_export(options, told.surroundings) == ExitCode::ok);
  CHECK(county.folder.read("taken/disclosures.jsonl").find("Marlow") != std::string::npos);
}

TEST_CASE("what cannot be exported is told and leaves no folder") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const auto fails_with = [&](const ExportOptions& options) {
    Told told;
    const auto code = app::audit_export(options, told.surroundings);
    CHECK_FALSE(county.folder.has("taken"));
    CHECK_FALSE(county.folder.has("taken.draft"));
    return code;
  };
  auto options = export_of(county);
  options.from = "1";
  options.role = "no-such-role";
  CHECK(fails_with(options) == ExitCode::wrong_input);
  options = export_of(county);
  options.from = "yesterday";
  CHECK(fails_with(options) == ExitCode::usage);
  options.from = "9";
  options.to = "8";
  CHECK(fails_with(options) == ExitCode::usage);
  options = export_of(county);
  options.from = "2001-01-01";
  options.to = "2001-01-31";
  CHECK(fails_with(options) == ExitCode::not_found);
  options = export_of(county);
  options.from = "1";
  county.folder.write("other.keys", "carehub/other+dbf06896+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
  options.keys = county.folder.path() / "other.keys";
  CHECK(fails_with(options) == ExitCode::wrong_input);
  options.keys = county.folder.path() / "missing.keys";
  CHECK(fails_with(options) != ExitCode::ok);
}

TEST_CASE("an export is of somebody or of a span, into a folder, by somebody with a reason") {
  const auto usage = [](std::vector<std::string> words) {
    const auto parsed = app::parse_command(std::move(words));
    const auto* leave = std::get_if<app::Leave>(&parsed);
    return leave != nullptr && leave->code == ExitCode::usage;
  };
  const std::vector<std::string> asked{"audit",   "export", "hub.toml", "--into",   "x", "--role",
                                       "auditor", "--by",   "a",        "--reason", "b"};
  CHECK(usage(asked));
  auto whole = asked;
  whole.insert(whole.end(), {"--from", "1"});
  CHECK_FALSE(usage(whole));
  whole.erase(whole.end() - 4, whole.end() - 2);
  CHECK(usage(whole));
}
