#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

ExitCode publish(const SmallCounty& county, Told& told, const std::string& agency = {}, bool json = false) {
  app::PublishOptions options;
  options.config = county.config();
  options.file = "-";
  options.agency = agency;
  options.json = json;
  return app::publish(options, told.surroundings);
}

}  // namespace

TEST_CASE("each event of a file gets its own answer: a receipt, a duplicate, a refusal with its place") {
  const RunningCounty county;
  Told first(SmallCounty::flag("e1") + SmallCounty::flag("e2"));
  CHECK(publish(county, first) == ExitCode::ok);
  CHECK(first.said("e1  receipt  #"));
  CHECK(first.said("e2  receipt  #"));

  Told again(SmallCounty::flag("e1") + SmallCounty::flag("e2", "closed") + SmallCounty::flag("e3"));
  CHECK(publish(county, again) == ExitCode::wrong_input);
  CHECK(again.said("e1  duplicate  #"));
  CHECK(again.said("e2  refused  "));
  CHECK(again.said("e3  receipt  #"));
}

TEST_CASE("outcomes as JSON are one object an event") {
  const RunningCounty county;
  Told told(SmallCounty::flag("e1"));
  CHECK(publish(county, told, {}, true) == ExitCode::ok);
  CHECK(told.out.str().starts_with(R"({"id":"e1","outcome":"receipt","sequence":)"));
}

TEST_CASE("nobody publishes in another agency's name") {
  const RunningCounty county;
  Told told(SmallCounty::flag("e1"));
  CHECK(publish(county, told, "commissioner") == ExitCode::denied);
  CHECK(told.said("e1  refused  not_its_agency"));
}

TEST_CASE("a file with a fault is refused whole, before any hub is asked") {
  const SmallCounty county;
  Told broken(SmallCounty::flag("e1") + "{broken\n");
  CHECK(publish(county, broken) == ExitCode::wrong_input);
  CHECK(broken.complained("line 2"));
  Told empty;
  CHECK(publish(county, empty) == ExitCode::wrong_input);
  CHECK(empty.complained("standard input is empty"));
}

TEST_CASE("without a hub nothing is published, and the place that was tried is told") {
  const SmallCounty county;
  Told told(SmallCounty::flag("e1"));
  CHECK(publish(county, told) == ExitCode::unavailable);
  CHECK(told.complained("no hub answers at ipc://"));
  CHECK(told.out.str().empty());
}
