#include "broker/care/event_rows.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Rowed : Erasing {
  care::PastReader past{hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies};
  Rowed() {
    REQUIRE(hub.state->flush());
    past.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
  }
};

}  // namespace

TEST_CASE("an event's row is what the asker's role may see, and nothing where it may see nothing") {
  Rowed past;
  const auto event = *past.past.event_at(past.of_one[0]);
  REQUIRE(event);
  core::Ask ask{past.council, {}};
  ask.query.role = "social-care-duty";
  const auto row = *care::event_row(past.past, *event, {}, ask);
  REQUIRE(row);
  CHECK(row->kind == "event");
  CHECK(row->sequence == past.of_one[0]);
  const auto* view = verified_event(row->view);
  REQUIRE(view != nullptr);
  CHECK((view->person() == nullptr || view->person()->birth_date() == nullptr));
  ask.query.role = "no such role";
  CHECK(*care::event_row(past.past, *event, {}, ask) == nullptr);
}

TEST_CASE("what became of an event is told of the subscriptions that the asker may know of, or of all") {
  Rowed past;
  const auto visible = *past.past.visible(past.council);
  const auto kinds = [&](Sequence sequence, bool all) {
    std::vector<std::string> told;
    const auto event = *past.past.event_at(sequence);
    const auto rows = care::shown_rows(past.past, *event, visible, all);
    REQUIRE(rows);
    for (const auto& row : *rows) {
      if (row->subscription == Erasing::kDesk) told.push_back(row->kind);
    }
    return told;
  };
  using Kinds = std::vector<std::string>;
  CHECK(kinds(past.of_one[0], false) == Kinds{"acked"});
  CHECK(kinds(past.of_one[1], false) == Kinds{"dead_letter"});
  CHECK(kinds(past.of_one[2], true) == Kinds{"offered"});
  const auto event = *past.past.event_at(past.of_one[0]);
  CHECK(care::shown_rows(past.past, *event, {}, false)->empty());
}

TEST_CASE("a page has as many rows as were asked for, within the hub's bound") {
  wire::QueryT query;
  CHECK(care::rows_wanted(query) == limits::kQueryRowsMax);
  query.rows_max = 3;
  CHECK(care::rows_wanted(query) == 3);
  query.rows_max = 1'000'000;
  CHECK(care::rows_wanted(query) == limits::kQueryRowsMax);
}
