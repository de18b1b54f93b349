#include "broker/core/watch_names.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

TEST_CASE("a watch's name says whose it is, an operator's that it is nobody's, and an old one nothing") {
  CHECK(core::agency_of_watch(core::watch_name(EngineHarness::peer(2, "northmarch-council"), "desk")) ==
        "northmarch-council");
  CHECK(core::agency_of_watch(core::watch_name(EngineHarness::operator_peer(9), "desk")) == "");
  CHECK(core::watch_name(EngineHarness::operator_peer(9), "desk") == "~:operator:desk@9");
  auto odd = EngineHarness::operator_peer(9);
  odd.client = "x/replay-1";
  CHECK_FALSE(core::is_replay_name(core::watch_name(odd, "replay-7")));
  CHECK_FALSE(core::agency_of_watch("~desk@9"));
  CHECK_FALSE(core::agency_of_watch("desk"));
  CHECK_FALSE(core::agency_of_watch("desk/replay-7"));
}
