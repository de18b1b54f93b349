#include "broker/app/audit_completeness.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "broker/app/audit_export.hpp"
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

namespace {

/// A child with reviews between the flags, which a reader of flags is not shown.
void with_reviews(const SmallCounty& county) {
  county.change("may_publish = [\"safeguarding_flag\"]", "may_publish = [\"safeguarding_flag\", \"review\"]");
  county.folder.write("policy.toml",
                      county.folder.read("policy.toml") +
                          "[[rule]]\nname = \"reader of flags\"\nrole = \"flags\"\n"
                          "types = [\"safeguarding_flag\"]\nshow = [\"*\"]\nlegal_basis = \"a test\"\n");
}

std::string review() {
  auto text = SmallCounty::flag("");
  for (const auto& [what, by] :
       {std::pair<std::string, std::string>{"\"type\":\"safeguarding_flag\"", "\"type\":\"review\""},
        {"\"safeguarding_flag\":{\"status\":\"raised\"}", "\"review\":{\"number\":\"R1\"}"}}) {
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    text.replace(at, what.size(), by);
  }
  return text;
}

/// The number of the newest entry that is an event.
std::uint64_t newest_event(const std::string& completeness) {
  const auto list = completeness.substr(completeness.find("\"events\":["));
  const auto whole = list.substr(0, list.find(']'));
  return std::stoull(whole.substr(whole.find_last_of("[,") + 1));
}

std::uint64_t left_out_of(const std::string& completeness) {
  const auto at = completeness.find("\"left_out\":[");
  REQUIRE(at != std::string::npos);
  return std::stoull(completeness.substr(at + 12));
}

/// What an outsider's Python says to the folder.
std::pair<int, std::string> verified(const SmallCounty& county) {
  const auto told = county.folder.path() / "verify.out";
  const auto command = "/usr/bin/python3 '" + (county.folder.path() / "taken/verify.py").string() + "' >'" +
                       told.string() + "' 2>&1";
  const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe): nothing else asks
  return {status, county.folder.read("verify.out")};
}

}  // namespace

TEST_CASE(
    "an event that a timeline leaves out is named, the command ends with an error, and so does its "
    "verifier") {
  const RunningCounty county(app::RunOptions::Parts::broker, with_reviews);
  REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  REQUIRE(county.publish(review()) == ExitCode::ok);
  REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  auto options = look_at(county);
  Told whole;
  REQUIRE(app::audit_completeness(options, whole.surroundings) == ExitCode::ok);
  const auto newest = newest_event(county.folder.read("taken/completeness.json"));
  CHECK(verified(county).first == 0);
  std::filesystem::remove_all(options.into);
  options.role = "flags";
  Told told;
  CHECK(app::audit_completeness(options, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.said("1 are left out, the first is entry"));
  const auto held = county.folder.read("taken/completeness.json");
  const auto left_out = left_out_of(held);
  CHECK(left_out < newest);
  CHECK(held.find("\"left_out\":[" + std::to_string(left_out) + "]") != std::string::npos);
  const auto [status, text] = verified(county);
  CHECK(status != 0);
  CHECK(text.find("WRONG") != std::string::npos);
  CHECK(text.find(std::to_string(left_out)) != std::string::npos);
}

TEST_CASE("a span inside the ledger is looked at by the keys that events outside of it tell") {
  const RunningCounty county(app::RunOptions::Parts::broker, with_reviews);
  REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  REQUIRE(county.publish(review()) == ExitCode::ok);
  REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  auto options = look_at(county);
  options.role = "flags";
  Told all;
  REQUIRE(app::audit_completeness(options, all.surroundings) == ExitCode::wrong_input);
  const auto whole = county.folder.read("taken/completeness.json");
  std::filesystem::remove_all(options.into);
  const auto look = [&](std::uint64_t sequence) {
    options.from = options.to = std::to_string(sequence);
    Told told;
    const auto code = app::audit_completeness(options, told.surroundings);
    return std::pair{code, county.folder.read("taken/completeness.json")};
  };
  SECTION("an event of the child's that the role is shown") {
    const auto newest = newest_event(whole);
    const auto [code, held] = look(newest);
    CHECK(code == ExitCode::ok);
    CHECK(held.find("\"events\":[" + std::to_string(newest) + "],\"left_out\":[]") != std::string::npos);
    CHECK(verified(county).first == 0);
  }
  SECTION("one that it is not shown") {
    const auto hidden = left_out_of(whole);
    const auto [code, held] = look(hidden);
    CHECK(code == ExitCode::wrong_input);
    CHECK(held.find("\"events\":[],\"left_out\":[" + std::to_string(hidden) + "]") != std::string::npos);
    CHECK(verified(county).first != 0);
  }
  SECTION("an entry that is no event of the child's") {
    const auto [code, held] = look(1);
    CHECK(code == ExitCode::ok);
    CHECK(held.find("\"events\":[],\"left_out\":[]") != std::string::npos);
  }
}

namespace {

constexpr const char* kMerge =
    R"({"type":"identity_merge","id":"m1","source_agency":"council",)"
    R"("occurred_at":"2026-03-02T11:00+00:00","person":{"nhs_number":"9990000026"},)"
    R"("identity_merge":{"surviving_nhs_number":"9990000026","retired_nhs_number":"9990000018"}})"
    "\n";

/// A flag about another child, and that the two are one, filed under that one alone.
void publish_another(const RunningCounty& county) {
  auto flag = SmallCounty::flag("of-another");
  const std::string number = "9990000018";
  flag.replace(flag.find(number), number.size(), "9990000026");
  REQUIRE(county.publish(flag) == ExitCode::ok);
  REQUIRE(county.publish(kMerge) == ExitCode::ok);
}

}  // namespace

TEST_CASE("what leaves nothing out, and an export, hold what another record of the child has") {
  const RunningCounty county(app::RunOptions::Parts::broker, [](const SmallCounty& before) {
    before.change(R"(may_publish = ["safeguarding_flag"])",
                  R"(may_publish = ["safeguarding_flag", "identity_merge"])");
  });
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  publish_another(county);
  Told told;
  REQUIRE(app::audit_completeness(look_at(county), told.surroundings) == ExitCode::ok);
  CHECK(told.said("nothing is left out"));
  const auto events = county.folder.read("taken/events.jsonl");
  CHECK(events.find(R"("record":1)") != std::string::npos);
  CHECK(events.find(R"("record":2)") != std::string::npos);
  CHECK(county.folder.read("taken/README.txt").find("record 2 is this child, too") != std::string::npos);
  const auto keys = county.folder.read("taken/completeness.json");
  const auto from = keys.find(R"("keys":[)");
  CHECK(keys.substr(from, keys.find(']', from) - from).find(',') != std::string::npos);

  app::ExportOptions options;
  options.config = county.config();
  options.into = county.folder.path() / "kept";
  options.person.text = "nhs:9990000018";
  options.role = "auditor";
  options.by = "an auditor";
  options.reason = "case review 4";
  Told kept;
  REQUIRE(app::audit_export(options, kept.surroundings) == ExitCode::ok);
  CHECK(county.folder.read("kept/events.jsonl").find(R"("record":2)") != std::string::npos);
  CHECK(county.folder.read("kept/disclosures.jsonl").find(R"("record":2)") != std::string::npos);
  CHECK(county.folder.read("kept/export.json").find("record 2 is this child, too") != std::string::npos);
}

TEST_CASE("a record of the child that the role is shown no event of is told as not counted") {
  const RunningCounty county(app::RunOptions::Parts::broker, [](const SmallCounty& before) {
    with_reviews(before);
    before.change(R"("safeguarding_flag", "review"])", R"("safeguarding_flag", "review", "identity_merge"])");
  });
  REQUIRE(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  auto other = review();
  const std::string number = "9990000018";
  other.replace(other.find(number), number.size(), "9990000026");
  REQUIRE(county.publish(other) == ExitCode::ok);
  REQUIRE(county.publish(kMerge) == ExitCode::ok);
  auto options = look_at(county);
  options.role = "flags";
  Told told;
  CHECK(app::audit_completeness(options, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.said("nothing is left out of the records that were counted"));
  CHECK(told.said("record 2 of this child was not counted"));
  const auto held = county.folder.read("taken/completeness.json");
  CHECK(held.find(R"("records_counted":[1],"records_not_shown":[2])") != std::string::npos);
  CHECK(verified(county).second.find("record 2 of this person is not counted") != std::string::npos);
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
