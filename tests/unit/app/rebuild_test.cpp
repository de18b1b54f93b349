#include "broker/storage/rocks_state_store.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

std::vector<storage::Row> rows_of(const SmallCounty& county) {
  const auto store = storage::RocksStateStore::open(county.folder.path() / "data");
  if (!store) FAIL(store.error().text);
  const auto rows = (*store)->scan("", "", 100'000);
  if (!rows) FAIL(rows.error().text);
  if (auto closed = (*store)->close(); !closed) FAIL(closed.error().text);
  return *rows;
}

}  // namespace

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

TEST_CASE("the state on disk is the same, row by row, when it is made again") {
  RunningCounty county;
  for (int event = 0; event < 30; ++event) {
    REQUIRE(county.publish(SmallCounty::flag("e" + std::to_string(event % 25))) == ExitCode::ok);
  }
  Told paused;
  app::SubscriptionsOptions pause;
  pause.config = county.config();
  pause.action = app::SubscriptionsOptions::Action::pause;
  pause.name = "council-desk";
  pause.by = "an operator";
  pause.reason = "a test";
  REQUIRE(app::subscriptions(pause, paused.surroundings) == ExitCode::ok);
  REQUIRE(county.stop() == ExitCode::ok);
  const auto lived = rows_of(county);
  CHECK(lived.size() > 50);
  Told told;
  REQUIRE(app::rebuild({county.config(), true}, told.surroundings) == ExitCode::ok);
  CHECK(told.said(R"({"entries":)"));
  const auto rebuilt = rows_of(county);
  REQUIRE(rebuilt.size() == lived.size());
  for (std::size_t at = 0; at < lived.size(); ++at) {
    INFO("row " << at);
    CHECK(rebuilt[at].key == lived[at].key);
    CHECK(rebuilt[at].value == lived[at].value);
  }
}

TEST_CASE("where there is no ledger nothing is made") {
  const SmallCounty county;
  Told told;
  CHECK(app::rebuild({county.config()}, told.surroundings) == ExitCode::not_found);
  CHECK_FALSE(county.folder.has("data"));
}
