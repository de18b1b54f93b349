#include <filesystem>

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

constexpr const char* kChild = "nhs:9990000018";

app::EraseOptions options_of(const SmallCounty& county, const std::string& person = kChild) {
  app::EraseOptions options;
  options.config = county.config();
  options.person.text = person;
  options.by = "An Operator";
  options.reason = "a test";
  options.yes = true;
  options.json = true;
  return options;
}

}  // namespace

TEST_CASE("a person is erased by a command: first counted, then gone, and a second time there is nobody") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(county.publish(SmallCounty::flag("e2")) == ExitCode::ok);
  auto options = options_of(county);
  options.preview = true;
  Told previewed;
  CHECK(app::erase(options, previewed.surroundings) == ExitCode::ok);
  CHECK(previewed.said(R"("preview":true,"events":2)"));
  Told people;
  options.json = false;
  CHECK(app::erase(options, people.surroundings) == ExitCode::ok);
  CHECK(people.said("events: 2"));
  Told erased;
  CHECK(app::erase(options_of(county), erased.surroundings) == ExitCode::ok);
  CHECK(erased.said(R"("complete":true)"));
  Told again;
  CHECK(app::erase(options_of(county), again.surroundings) != ExitCode::ok);
  CHECK(again.complained("nothing that can be erased"));
  CHECK(!again.complained("9990000018"));
}

TEST_CASE(
    "an erasure with an older copy of the vault says so, and is complete when it is looked at without") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const auto data = county.folder.path() / "data";
  std::filesystem::copy_file(data / "vault", data / "vault.monday");
  auto options = options_of(county);
  options.json = false;
  Told told;
  CHECK(app::erase(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("vault.monday"));
  CHECK(told.said("not complete"));
  std::filesystem::remove(data / "vault.monday");
  const auto text = told.out.str();
  const auto at = text.find("sequence:") + 9;
  options.person.text = "sequence:" + text.substr(at, text.find(' ', at) - at);
  Told again;
  CHECK(app::erase(options, again.surroundings) == ExitCode::ok);
  CHECK(again.said("complete: the keys are destroyed"));
}

TEST_CASE("a person is asked before an erasure, sees what will go, and nothing goes without their word") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = options_of(county);
  options.yes = false;
  options.json = false;
  const auto counts = [&] {
    auto preview = options;
    preview.preview = true;
    Told told;
    CHECK(app::erase(preview, told.surroundings) == ExitCode::ok);
    return told.said("events: 1");
  };
  for (const char* answer : {"no\n", "\n", "y\n", "erase it\n", ""}) {
    CAPTURE(answer);
    Told told(answer);
    told.surroundings.somebody_to_ask = true;
    CHECK(app::erase(options, told.surroundings) == ExitCode::usage);
    CHECK(told.said("events: 1"));
    CHECK(told.complained("nothing has been erased"));
    CHECK(counts());
  }
  Told told("erase\n");
  told.surroundings.somebody_to_ask = true;
  CHECK(app::erase(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("events: 1"));
  CHECK(told.said("complete: the keys are destroyed"));
  Told after;
  CHECK(app::erase(options_of(county), after.surroundings) != ExitCode::ok);
  CHECK(after.complained("nothing that can be erased"));
}

TEST_CASE("a preview that is stopped says so, and leaves everything as it is") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = options_of(county);
  options.preview = true;
  Told stopped;
  stopped.stop = true;
  CHECK(app::erase(options, stopped.surroundings) == ExitCode::unavailable);
  CHECK(stopped.complained("nothing has been erased"));
  Told counted;
  CHECK(app::erase(options, counted.surroundings) == ExitCode::ok);
  CHECK(counted.said(R"("events":1)"));
}

TEST_CASE("nothing is erased without a yes where nobody can be asked") {
  const SmallCounty county;
  auto options = options_of(county, "-");
  options.yes = false;
  Told told(std::string(kChild) + "\n");
  CHECK(app::erase(options, told.surroundings) == ExitCode::usage);
  CHECK(told.complained("--yes"));
}
