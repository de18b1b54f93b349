#include "broker/care/timeline.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/care/filing.hpp"
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

TEST_CASE(
    "a timeline names the entries that say what became of each event, to an operator who asks for them") {
  Erasing past;
  past.hub.pass_ms(1'000);
  for (int each = 0; each < 40; ++each) past.publish(2);
  past.hub.pass_ms(1'000);
  past.hub.ack(past.council, Erasing::kDesk, past.of_one[2]);
  REQUIRE(past.hub.state->flush());
  care::PastReader reader(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                          past.hub.rules.agencies);
  reader.use_policy(*core::Disclosure::parse_policy(past.hub.rules.policy_text, "policy.toml", 1));
  core::Ask ask{past.asker, {}};
  ask.query.kind = wire::QueryKind::timeline;
  ask.query.person = Erasing::name(1);
  ask.query.role = "auditor";
  const auto rows = [&] {
    care::Timeline timeline(reader, ask);
    while (!*timeline.advance()) {
    }
    auto page = timeline.take();
    return std::move(page.rows);
  };
  for (const auto& row : rows()) CHECK(row->state.empty());
  ask.query.path = care::Timeline::kNamesEntries;
  const auto kind_of = [&](Sequence entry) {
    REQUIRE(entry != 0);
    return past.hub.ledger.read(entry, 1, 1)->front().header.kind;
  };
  using storage::EntryKind;
  std::vector<std::string> told;
  for (const auto& row : rows()) {
    const auto filing = care::filing_from(row->state);
    CHECK((filing.decided_in != 0) == (row->kind != "event"));
    if (row->kind == "event" || row->subscription != Erasing::kDesk) continue;
    told.push_back(row->kind);
    CHECK(kind_of(filing.decided_in) == EntryKind::offered);
    if (row->kind == "acked") CHECK(kind_of(filing.acknowledged_in) == EntryKind::acked);
    if (row->kind == "dead_letter") CHECK(kind_of(filing.given_up_in) == EntryKind::dead_letter);
  }
  CHECK(told == std::vector<std::string>{"acked", "dead_letter", "acked"});
  ask.peer = past.council;
  ask.query.role = "social-care-duty";
  for (const auto& row : rows()) CHECK(row->state.empty());
}

TEST_CASE("a timeline of a role behind broken glass shows one child's events to one agency until it ends") {
  constexpr const char* kNight = "duty-by-night";
  auto rules = EngineHarness::county();
  rules.policy_text += R"(
[[rule]]
name = "by night"
role = "duty-by-night"
types = ["admission"]
show = ["person.nhs_number"]
break_glass_minutes = 30
legal_basis = "Children Act 1989 s.46"
)";
  for (auto& agency : rules.agencies) {
    if (agency.id == "northmarch-council" || agency.id == "holm-school") agency.roles.emplace_back(kNight);
  }
  EngineHarness hub(rules);
  const auto council = EngineHarness::peer(2, "northmarch-council");
  for (const int child : {1, 2}) {
    EventSpec spec;
    spec.child = child;
    hub.publish_one(EngineHarness::peer(1, "elwick-hospital"), item_of(spec));
  }
  const auto shown = [&hub](int child, const core::Peer& peer) {
    REQUIRE(hub.state->flush());
    care::PastReader reader(hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    reader.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    core::Ask ask{peer, {}, hub.clock.now()};
    ask.query.kind = wire::QueryKind::timeline;
    ask.query.person = "nhs:" + test_nhs_number(child);
    ask.query.role = kNight;
    care::Timeline timeline(reader, ask);
    while (!*timeline.advance()) {
    }
    const auto page = timeline.take();
    return std::ranges::count(page.rows, "event", [](const auto& row) { return row->kind; });
  };
  hub.pass_ms(1);
  CHECK(shown(1, council) == 0);
  wire::BreakGlassT frame;
  frame.person = "nhs:" + test_nhs_number(1);
  frame.role = kNight;
  frame.minutes = 30;
  frame.by = "A Worker";
  frame.reason = "found alone";
  hub.send(council, frame);
  hub.pass_ms(1);
  CHECK(shown(1, council) == 1);
  CHECK(shown(2, council) == 0);
  CHECK(shown(1, EngineHarness::peer(3, "holm-school")) == 0);
  hub.restart_without_state();
  CHECK(shown(1, council) == 1);
  hub.pass_ms(30 * 60 * 1000 - 2);
  CHECK(shown(1, council) == 1);
  hub.pass_ms(1);
  CHECK(shown(1, council) == 0);
}
