#include <catch2/catch.hpp>

#include "broker/core/asked_text.hpp"
#include "broker/core/questions.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);

wire::ErrorKind answer_to(EngineHarness& hub, const core::Peer& peer, wire::QueryT query) {
  auto received = hub.send(peer, std::move(query));
  auto pages = frames_of<wire::PageT>(received);
  return pages.empty() ? wire::ErrorKind::unknown : pages[0].error;
}

/// What comparisons that were answered have on record.
std::vector<std::string> recorded(const EngineHarness& hub) {
  std::vector<std::string> found;
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::access)) {
    const auto& access = entry_of<ledger::AccessT>(body);
    if (access.verb == "policy_diff") found.push_back(access.what);
  }
  return found;
}

}  // namespace

TEST_CASE("two policies are compared for an operator who says why, on the events since a time, on record") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::policy_diff;
  query.policy = "a draft";
  query.first_at = hub.clock.now().us;
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.reason = "a review";
  CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::denied);
  CHECK(recorded(hub).empty());
  CHECK(hub.asks.empty());
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  REQUIRE(recorded(hub).size() == 1);
  CHECK(recorded(hub).back() ==
        "from the policy that decides to a policy that was given since " + to_rfc3339(hub.clock.now()));
  REQUIRE(hub.asks.size() == 1);
  CHECK(hub.asks[0].query.policy == "a draft");
}

TEST_CASE("a comparison is refused without a time, of a policy with itself, and of one that is too large") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::policy_diff;
  query.reason = "a review";
  query.old_policy = "what was";
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.first_at = 1;
  query.old_policy.clear();
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.old_policy.assign(core::kPolicyTextBytesMax + 1, '#');
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  CHECK(recorded(hub).empty());
  query.old_policy.pop_back();
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  CHECK(recorded(hub).back().starts_with("from a policy that was given to the policy that decides"));
}
