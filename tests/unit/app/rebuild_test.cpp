#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

TEST_CASE("the state is made again from the ledger of a hub that has stopped, never under one that runs") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  Told running;
  CHECK(app::rebuild({county.config()}, running.surroundings) == ExitCode::storage);
  CHECK(running.complained("in use by another hub"));
  REQUIRE(county.stop() == ExitCode::ok);
  Told stopped;
  CHECK(app::rebuild({county.config()}, stopped.surroundings) == ExitCode::ok);
  CHECK(stopped.said("the state is made again from "));
}

TEST_CASE("where there is no ledger nothing is made") {
  const SmallCounty county;
  Told told;
  CHECK(app::rebuild({county.config()}, told.surroundings) == ExitCode::not_found);
  CHECK_FALSE(county.folder.has("data"));
}
