#include "tests/fakes/awaited.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;
using Action = app::SubscriptionsOptions::Action;

namespace {

app::SubscriptionsOptions options_of(const SmallCounty& county, Action action = Action::list) {
  app::SubscriptionsOptions options;
  options.config = county.config();
  options.action = action;
  options.name = "council-desk";
  options.by = "an operator";
  options.reason = "a test";
  return options;
}

std::string listed(const SmallCounty& county) {
  auto options = options_of(county);
  options.json = true;
  Told told;
  CHECK(app::subscriptions(options, told.surroundings) == ExitCode::ok);
  return told.out.str();
}

}  // namespace

TEST_CASE("subscriptions are listed, paused and resumed, and a change that changes nothing is refused") {
  const RunningCounty county;
  CHECK(listed(county).find(R"("subscription":"council-desk")") != std::string::npos);
  CHECK(listed(county).find(R"("state":"active","pending":0,"dead_letters":0)") != std::string::npos);
  Told paused;
  CHECK(app::subscriptions(options_of(county, Action::pause), paused.surroundings) == ExitCode::ok);
  CHECK(paused.said("done, recorded as entry "));
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(fakes::eventually(
      [&] { return listed(county).find(R"("state":"paused","pending":1)") != std::string::npos; }));
  CHECK(listed(county).find(R"("paused_since":")") != std::string::npos);
  Told again;
  CHECK(app::subscriptions(options_of(county, Action::pause), again.surroundings) != ExitCode::ok);
  Told resumed;
  CHECK(app::subscriptions(options_of(county, Action::resume), resumed.surroundings) == ExitCode::ok);
  Told people;
  CHECK(app::subscriptions(options_of(county), people.surroundings) == ExitCode::ok);
  CHECK(people.said("council-desk"));
}

TEST_CASE("a shadow is told from a subscription that sends, in the list and by check") {
  const SmallCounty county;
  std::filesystem::create_directory(county.folder.path() / "shadow");
  county.change("name = \"council-desk\"", "name = \"council-desk\"\nshadow = \"shadow\"");
  Told checked;
  CHECK(app::check({county.config(), false}, checked.surroundings) == ExitCode::ok);
  CHECK(checked.said("a shadow: sends nothing, writes to "));
  const RunningCounty live;
  CHECK(listed(live).find(R"("shadow":false)") != std::string::npos);
  std::filesystem::create_directory(live.folder.path() / "shadow");
  live.change("name = \"council-desk\"", "name = \"council-desk\"\nshadow = \"shadow\"");
  CHECK(listed(live).find(R"("shadow":true)") != std::string::npos);
  Told people;
  CHECK(app::subscriptions(options_of(live), people.surroundings) == ExitCode::ok);
  CHECK(people.said("shadow, active"));
}

TEST_CASE("a cursor that is set to now leaves nothing waiting") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(fakes::eventually([&] { return listed(county).find(R"("pending":1)") != std::string::npos; }));
  auto reset = options_of(county, Action::reset);
  Told wrong;
  reset.to = "yesterday";
  CHECK(app::subscriptions(reset, wrong.surroundings) == ExitCode::usage);
  Told beyond;
  reset.to = "999999";
  CHECK(app::subscriptions(reset, beyond.surroundings) == ExitCode::wrong_input);
  Told done;
  reset.to = "now";
  CHECK(app::subscriptions(reset, done.surroundings) == ExitCode::ok);
  CHECK(fakes::eventually([&] { return listed(county).find(R"("pending":0)") != std::string::npos; }));
  Told removed;
  CHECK(app::subscriptions(options_of(county, Action::remove), removed.surroundings) != ExitCode::ok);
}

TEST_CASE("subscriptions of a hub that does not run cannot be read") {
  const SmallCounty county;
  Told told;
  CHECK(app::subscriptions(options_of(county), told.surroundings) == ExitCode::unavailable);
}
