#include "broker/care/trail.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>

#include "broker/care/history.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);

struct Past {
  EngineHarness hub;

  Past() { hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty"); }

  Sequence publish(int child) {
    EventSpec spec;
    spec.child = child;
    return hub.publish_one(kHospital, item_of(spec)).sequence;
  }
  /// A question that the ledger remembers.
  void ask_timeline(const std::string& person, const std::string& reason) {
    wire::QueryT query;
    query.kind = wire::QueryKind::timeline;
    query.person = person;
    query.role = "auditor";
    query.by = "a reader";
    query.reason = reason;
    hub.send(kOperator, std::move(query));
  }
  wire::PageT trail(wire::QueryT query = {}) {
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    query.kind = wire::QueryKind::trail;
    return history.answer({kOperator, std::move(query)});
  }
};

std::vector<std::string> reasons_of(const wire::PageT& page, const std::string& kind = "access") {
  std::vector<std::string> reasons;
  for (const auto& row : page.rows) {
    if (row->kind == kind) reasons.push_back(row->reason);
  }
  return reasons;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the trail says who asked and who changed what, oldest first") {
  Past past;
  past.publish(1);
  past.ask_timeline("nhs:" + test_nhs_number(1), "case 7");
  past.hub.pass_ms(5);
  past.ask_timeline("nhs:" + test_nhs_number(1), "case 8");
  const auto page = past.trail();
  CHECK_FALSE(page.more);
  CHECK(std::ranges::is_sorted(page.rows, {}, [](const auto& row) { return row->sequence; }));
  CHECK(reasons_of(page) == Texts{"case 7", "case 8"});
  const auto asked = std::ranges::find(page.rows, "case 7", [](const auto& row) { return row->reason; });
  REQUIRE(asked != page.rows.end());
  CHECK((*asked)->state == "timeline");
  CHECK((*asked)->by.find("a reader") != std::string::npos);
  CHECK((*asked)->role == "auditor");
  CHECK((*asked)->text == "one person");
  const auto made =
      std::ranges::find(page.rows, "subscription_changed", [](const auto& row) { return row->kind; });
  REQUIRE(made != page.rows.end());
  CHECK_FALSE(reasons_of(page, "policy_changed").empty());
}

TEST_CASE("the trail of one person has their questions alone, by number or by entry") {
  Past past;
  const auto entry = past.publish(1);
  past.publish(2);
  past.ask_timeline("nhs:" + test_nhs_number(1), "first");
  past.ask_timeline("nhs:" + test_nhs_number(2), "another");
  past.ask_timeline("sequence:" + std::to_string(entry), "by entry");
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(1);
  const auto page = past.trail(query);
  CHECK(reasons_of(page) == Texts{"first", "by entry"});
  CHECK(page.rows.size() == 2);
}

TEST_CASE("the trail of one person marks the questions of many that may have shown one of their events") {
  Past past;
  past.publish(2);
  const auto first = past.publish(1);
  const auto ask = [&past](const std::string& reason, const std::string& agency, const std::string& journey) {
    wire::QueryT query;
    query.kind = wire::QueryKind::timeline;
    query.agency = agency;
    query.journey = journey;
    query.role = "auditor";
    query.reason = reason;
    past.hub.send(kOperator, std::move(query));
  };
  const auto replay = [&past](const std::string& reason, Sequence from, Sequence to, bool preview = false) {
    wire::ReplayT frame;
    frame.role = "auditor";
    frame.reason = reason;
    frame.first = from;
    frame.last = to;
    frame.preview = preview;
    past.hub.send(kOperator, std::move(frame));
  };
  ask("what the hospital sent", "elwick-hospital", "");
  ask("what the school sent", "holm-school", "");
  ask("another journey", "", "J-9");
  replay("with the child", first, first + 1);
  replay("before the child", 1, first - 1);
  replay("only counted", 0, 0, true);
  past.ask_timeline("nhs:" + test_nhs_number(1), "about the child");
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(1);
  const auto page = past.trail(query);
  CHECK(reasons_of(page, "may_have_shown") == Texts{"what the hospital sent", "with the child"});
  CHECK(reasons_of(page) == Texts{"about the child"});
}

TEST_CASE("no wording of a question of many leaves it out of the trail of whom it may have shown") {
  Past past;
  EventSpec spec;
  spec.child = 1;
  auto event = make_event(spec);
  event.journey = "J-1";
  REQUIRE(past.hub.publish_one(kHospital, item_of(event)).outcome == wire::Outcome::receipt);
  wire::QueryT asked;
  asked.kind = wire::QueryKind::timeline;
  asked.journey = "J-1";
  asked.role = "auditor";
  asked.first_at = 1;
  for (const auto* word : {"agency", "entries", "to", "sequence:5"}) {
    asked.reason = word;
    asked.subscription = word;
    asked.channel.clear();
    past.hub.send(kOperator, asked);
    asked.channel = std::exchange(asked.subscription, std::string());
    past.hub.send(kOperator, asked);
  }
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(1);
  CHECK(reasons_of(past.trail(query), "may_have_shown") ==
        Texts{"agency", "agency", "entries", "entries", "to", "to", "sequence:5", "sequence:5"});
}

TEST_CASE("a question of many that was asked before the person's first event cannot have shown it") {
  Past past;
  wire::QueryT asked;
  asked.kind = wire::QueryKind::timeline;
  asked.agency = "elwick-hospital";
  asked.role = "auditor";
  asked.reason = "early";
  past.hub.send(kOperator, asked);
  past.publish(1);
  asked.reason = "late";
  past.hub.send(kOperator, std::move(asked));
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(1);
  CHECK(reasons_of(past.trail(query), "may_have_shown") == Texts{"late"});
}

TEST_CASE("a question about somebody whom the hub did not know is in the trail all the same") {
  Past past;
  past.ask_timeline("nhs:" + test_nhs_number(4), "unknown then");
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(4);
  CHECK(reasons_of(past.trail(query)) == Texts{"unknown then"});
}

TEST_CASE("the trail of a child has the marks that operators set and lifted") {
  Past past;
  past.publish(1);
  past.publish(2);
  for (const int child : {1, 2}) {
    for (const bool lift : {false, true}) {
      wire::MarkChildT frame;
      frame.person = "nhs:" + test_nhs_number(child);
      frame.restrictions = {event::Restriction::adopted};
      frame.lift = lift;
      frame.by = "a marker";
      frame.reason = (lift ? "ended for " : "begun for ") + std::to_string(child);
      past.hub.send(kOperator, std::move(frame));
    }
  }
  wire::QueryT query;
  query.person = "nhs:" + test_nhs_number(1);
  const auto page = past.trail(query);
  CHECK(reasons_of(page, "operator_action") == Texts{"begun for 1", "ended for 1"});
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0]->state == core::kMarkAction);
  CHECK(page.rows[1]->state == core::kLiftAction);
  for (const auto& row : page.rows) {
    CHECK(row->by.ends_with("a marker"));
    CHECK(row->text == "adopted");
  }
}

TEST_CASE("the trail of a child says when records were joined, by which entry, and that they are no more") {
  Past past;
  past.publish(1);
  past.publish(2);
  const auto merge = [&past](event::Answer reversed) {
    EventSpec spec;
    spec.type = event::EventType::identity_merge;
    auto event = make_event(spec);
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->surviving_nhs_number = test_nhs_number(1);
    event.identity_merge->retired_nhs_number = test_nhs_number(2);
    event.identity_merge->reversed = reversed;
    return std::to_string(past.hub.publish_one(kHospital, item_of(event)).sequence);
  };
  const auto said = merge(event::Answer::no);
  const auto taken_back = merge(event::Answer::yes);
  for (const int child : {1, 2}) {
    wire::QueryT query;
    query.person = "nhs:" + test_nhs_number(child);
    const auto page = past.trail(std::move(query));
    Texts told;
    for (const auto& row : page.rows) {
      if (row->kind == "operator_action") told.push_back(row->by + ": " + row->state + ": " + row->text);
    }
    CHECK(told == Texts{"hub: link records of child: entry " + said + ", 1 other record",
                        "hub: unlink records of child: entry " + taken_back + ", 1 other record"});
  }
}

TEST_CASE("the trail goes on page by page and keeps to its times") {
  Past past;
  past.ask_timeline("nhs:" + test_nhs_number(1), "early");
  past.hub.pass_ms(1'000);
  const auto since = past.hub.clock.now();
  past.ask_timeline("nhs:" + test_nhs_number(1), "in time");
  const auto until = past.hub.clock.now();
  past.hub.pass_ms(1'000);
  past.ask_timeline("nhs:" + test_nhs_number(1), "late");
  wire::QueryT query;
  query.first_at = since.us;
  query.last_at = until.us;
  CHECK(reasons_of(past.trail(query)) == Texts{"in time"});
  Texts all;
  wire::QueryT paged;
  paged.rows_max = 1;
  for (int page = 0; page < 100; ++page) {
    const auto got = past.trail(paged);
    REQUIRE(got.rows.size() <= 1);
    for (const auto& reason : reasons_of(got)) all.push_back(reason);
    if (!got.more) break;
    paged.after = got.next_after;
  }
  CHECK(all == Texts{"early", "in time", "late"});
}

TEST_CASE("an auditor's question is the operators' alone, needs a reason, and is itself recorded") {
  Past past;
  past.publish(1);
  wire::QueryT trail;
  trail.kind = wire::QueryKind::trail;
  trail.by = "an auditor";
  trail.reason = "review 3";
  auto denied = past.hub.send(kCouncil, wire::QueryT(trail));
  auto pages = frames_of<wire::PageT>(denied);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].error == wire::ErrorKind::denied);
  trail.reason.clear();
  auto unsaid = past.hub.send(kOperator, wire::QueryT(trail));
  pages = frames_of<wire::PageT>(unsaid);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].error == wire::ErrorKind::invalid);
  CHECK(past.hub.asks.empty());
  trail.reason = "review 3";
  past.hub.send(kOperator, wire::QueryT(trail));
  REQUIRE(past.hub.asks.size() == 1);
  const auto page = past.trail();
  Texts acts;
  for (const auto& row : page.rows) {
    if (row->kind == "access") acts.push_back(row->state + ": " + row->reason);
  }
  CHECK(acts == Texts{"refused trail: review 3", "refused trail: ", "trail: review 3"});
}
