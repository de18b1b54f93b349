#include "broker/care/timeline.hpp"

#include <catch2/catch.hpp>

#include "broker/core/disclosure.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

TEST_CASE("a timeline is looked for in parts of a bounded size, and is whole in the end") {
  Erasing past;
  const std::size_t all = care::kScanEntries + 40;
  while (past.of_one.size() < all) past.of_one.push_back(past.publish(1));
  REQUIRE(past.hub.state->flush());
  care::PastReader reader(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                          past.hub.rules.agencies);
  reader.use_policy(*core::Disclosure::parse_policy(past.hub.rules.policy_text, "policy.toml", 1));
  core::Ask ask{past.asker, {}};
  ask.query.kind = wire::QueryKind::timeline;
  ask.query.person = Erasing::name(1);
  ask.query.role = "auditor";
  ask.query.types = {event::EventType::discharge};
  care::Timeline none(reader, ask);
  CHECK_FALSE(*none.advance());
  CHECK(*none.advance());
  const auto page = none.take();
  CHECK(page.rows.empty());
  CHECK_FALSE(page.more);
  ask.query.types = {event::EventType::admission};
  ask.query.rows_max = 2;
  care::Timeline first(reader, ask);
  CHECK(*first.advance());
  const auto newest = first.take();
  REQUIRE_FALSE(newest.rows.empty());
  CHECK(newest.rows.front()->sequence == past.of_one.back());
  CHECK(newest.more);
  CHECK(newest.next_after < past.of_one.back());
}
