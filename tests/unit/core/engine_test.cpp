#include "broker/core/engine.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using wire::Outcome;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kSchool = EngineHarness::peer(3, "holm-school");

}  // namespace

TEST_CASE("an admission gets a receipt and reaches whom a rule lets see it, in one step") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  hub.subscribe(kSchool, "holm-notices", "school-pastoral");
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(EventSpec{}));
  auto received = hub.publish(kHospital, std::move(items));
  const auto published = frames_of<wire::PublishedT>(received);
  REQUIRE(published.size() == 1);
  CHECK(published.front().outcomes.front()->outcome == Outcome::receipt);
  const auto sequence = published.front().outcomes.front()->sequence;
  const auto to_council = deliveries_of(received, "council-duty-desk");
  const auto to_school = deliveries_of(received, "holm-notices");
  REQUIRE(to_council.size() == 1);
  REQUIRE(to_school.size() == 1);
  CHECK(to_council.front().sequence == sequence);
  CHECK(to_council.front().attempt == 1);
  CHECK(to_council.front().view != to_school.front().view);
  CHECK(hub.entries(storage::EntryKind::offered).size() == 3);

  auto again = hub.ack(kCouncil, "council-duty-desk", sequence);
  CHECK(again.empty());
  CHECK(hub.entries(storage::EntryKind::acked).size() == 1);
}
