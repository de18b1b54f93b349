#include <catch2/catch.hpp>

#include "broker/core/subscribers.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kSchool = EngineHarness::peer(3, "holm-school");
constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kRole = "social-care-duty";

std::optional<wire::ErrorKind> rejection(std::vector<Received> received) {
  auto rejected = frames_of<wire::RejectedT>(received);
  if (rejected.empty()) return std::nullopt;
  return rejected.front().kind;
}

}  // namespace

TEST_CASE(
    "a removed subscription's name is nobody else's, even when nothing waits and the state is rebuilt") {
  EngineHarness hub;
  const auto removed = hub.rules.subscriptions.front();
  hub.rules.subscriptions.erase(hub.rules.subscriptions.begin());
  hub.restart();
  if (GENERATE(false, true)) hub.restart_without_state();
  CHECK(rejection(hub.subscribe(kSchool, kDesk, "school-pastoral")) == wire::ErrorKind::conflict);
  SECTION("a client of the same agency in the same role takes it up") {
    CHECK_FALSE(rejection(hub.subscribe(kCouncil, kDesk, kRole)));
  }
  SECTION("the configuration gives it to no other agency") {
    hub.rules.subscriptions.push_back(removed);
    hub.rules.subscriptions.back().agency = "holm-school";
    hub.rules.subscriptions.back().role = "school-pastoral";
    const auto started = hub.start();
    REQUIRE_FALSE(started);
    CHECK(started.error().kind == ErrorKind::invalid);
    CHECK(started.error().text.find("northmarch-council") != std::string::npos);
  }
  SECTION("the configuration puts it back for its own") {
    hub.rules.subscriptions.push_back(removed);
    CHECK(hub.start());
    CHECK_FALSE(rejection(hub.subscribe(kCouncil, kDesk, kRole)));
  }
}

TEST_CASE("an agency's clients make so many durable subscriptions; other agencies and watches go on") {
  EngineHarness hub;
  int made = 0;
  while (made < 1000 && !rejection(hub.subscribe(kCouncil, "desk-" + std::to_string(made), kRole))) ++made;
  CHECK(made == 32);
  CHECK(rejection(hub.subscribe(kCouncil, "one-more", kRole)) == wire::ErrorKind::overloaded);
  CHECK_FALSE(rejection(hub.subscribe(kCouncil, "desk-0", kRole)));
  CHECK_FALSE(rejection(hub.subscribe(kCouncil, kDesk, kRole)));
  CHECK_FALSE(rejection(hub.subscribe(kCouncil, "eyes", kRole, 10, false)));
  CHECK_FALSE(rejection(hub.subscribe(kSchool, "office", "school-pastoral")));
}
