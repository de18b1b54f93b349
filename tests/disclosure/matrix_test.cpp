#include <catch2/catch.hpp>

#include "tests/disclosure/rounds.hpp"

using namespace carehub::disclosure;

TEST_CASE(
    "each role gets of each event by each verb what the policy says, and no byte more, in every way in") {
  const auto way = GENERATE(Way::inproc, Way::ipc, Way::tcp);
  INFO(name_of(way));
  Rounds rounds(way);
  rounds.subscribe();
  rounds.publish();
  rounds.deliveries();
  for (const auto& role : county_roles()) {
    for (const auto type : all_types()) rounds.of_role_and_type(role, type);
    rounds.of_role(role);
  }
  for (const auto type : all_types()) rounds.of_type(type);
  rounds.of_desk();
  rounds.protect();
}
