#include "broker/core/reports.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

/// What a search hands over.
wire::PageT page_of(const std::string& state) {
  wire::PageT page;
  page.number = 4;
  auto head = std::make_unique<wire::RowT>();
  head->kind = "report";
  head->text = "2026-Q1, definition 1";
  head->state = state;
  page.rows.push_back(std::move(head));
  auto figure = std::make_unique<wire::RowT>();
  figure->kind = "figure";
  figure->state = "events";
  figure->text = "admission";
  figure->agency = "elwick-hospital";
  figure->pending = 7;
  page.rows.push_back(std::move(figure));
  return page;
}

wire::PageT end(EngineHarness& hub, const std::string& state) {
  core::Ask ask{EngineHarness::operator_peer(9), {}};
  ask.query.by = "an auditor";
  ask.query.reason = "the board";
  core::Decision decision;
  REQUIRE(hub.engine->end_report(ask, page_of(state), hub.clock.now(), decision));
  hub.step();
  REQUIRE(decision.sends.size() == 1);
  CHECK(decision.sends[0].to == 9);
  wire::PageT page;
  wire::GetFrame(decision.sends[0].frame.data())->message_as_Page()->UnPackTo(&page);
  return page;
}

}  // namespace

TEST_CASE("a report that is made for the first time is written down once, whoever asks at the same time") {
  EngineHarness hub;
  const auto first = end(hub, "first");
  const auto written = hub.entries(storage::EntryKind::report);
  REQUIRE(written.size() == 1);
  CHECK(first.rows.at(0)->sequence == written[0].first);
  CHECK(entry_of<ledger::ReportT>(written[0].second).figures == "events\tadmission\telwick-hospital\t7\n");
  CHECK(end(hub, "first").error == wire::ErrorKind::overloaded);
  CHECK(end(hub, "again").error == wire::ErrorKind::unknown);
  CHECK(hub.entries(storage::EntryKind::report).size() == 1);
}

TEST_CASE("what is provisional or could not be counted is answered and not written down") {
  EngineHarness hub;
  CHECK(end(hub, "provisional").rows.size() == 2);
  wire::PageT failed;
  failed.error = wire::ErrorKind::corrupt;
  core::Decision decision;
  REQUIRE(hub.engine->end_report({EngineHarness::operator_peer(9), {}}, std::move(failed), hub.clock.now(),
                                 decision));
  CHECK(decision.sends.size() == 1);
  hub.step();
  CHECK(hub.entries(storage::EntryKind::report).empty());
}
