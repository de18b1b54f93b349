#include "broker/app/export_events.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

wire::QueryT question(const std::string& role) {
  wire::QueryT query;
  query.role = role;
  query.by = "a test";
  query.reason = "a test";
  return query;
}

}  // namespace

TEST_CASE("a span is read from numbers, times and days, and does not end before it begins") {
  const auto whole = app::read_span("", "");
  REQUIRE(whole);
  CHECK(whole->holds(1));
  const auto numbers = app::read_span("3", "5");
  REQUIRE(numbers);
  CHECK(numbers->holds(5));
  CHECK_FALSE(numbers->holds(6));
  const auto day = app::read_span("2026-01-31", "2026-01-31");
  REQUIRE(day);
  CHECK(day->last_at - day->first_at == 86'400'000'000 - 1);
  CHECK(!app::read_span("5", "3"));
  CHECK(!app::read_span("2026-02-01", "2026-01-31"));
  CHECK(!app::read_span("yesterday", ""));
  CHECK(!app::read_span("", "0"));
}

TEST_CASE("a person's events and those of a span are the same events, as the role may see them") {
  const RunningCounty county;
  for (int each = 0; each < 3; ++each) REQUIRE(county.publish(SmallCounty::flag("")) == app::ExitCode::ok);
  const auto hub = county.connect("");
  Told told;
  std::vector<Sequence> of_person;
  const auto keep = [&of_person](const wire::RowT& row) {
    if (row.kind == "event") of_person.insert(of_person.begin(), row.sequence);
    return Result<void>();
  };
  REQUIRE(app::person_events(*hub, question("auditor"), "nhs:9990000018", {}, keep, {}));
  REQUIRE(of_person.size() == 3);

  std::vector<Sequence> of_span;
  const auto take = [&](const wire::RowT& row) {
    CHECK(row.kind == "event");
    CHECK(row.role == "auditor");
    CHECK(row.occurred_at != 0);
    of_span.push_back(row.sequence);
    return Result<void>();
  };
  const auto withheld = app::span_events(*hub, question("auditor"), {}, told.surroundings, take);
  REQUIRE(withheld);
  CHECK(*withheld == 0);
  CHECK(of_span == of_person);

  of_span.clear();
  const app::ExportSpan one{of_person[1], of_person[1], 0, 0};
  REQUIRE(app::span_events(*hub, question("auditor"), one, told.surroundings, take));
  CHECK(of_span == std::vector<Sequence>{of_person[1]});
  of_person.clear();
  REQUIRE(app::person_events(*hub, question("auditor"), "nhs:9990000018", one, keep, {}));
  CHECK(of_person == of_span);
}

TEST_CASE("what the role may not see is counted, and a row that cannot be kept ends it") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == app::ExitCode::ok);
  const auto hub = county.connect("");
  Told told;
  const auto none = [](const wire::RowT&) { return Result<void>(fail(ErrorKind::unavailable, "disk full")); };
  const auto withheld = app::span_events(*hub, question("desk"), {}, told.surroundings, none);
  REQUIRE(withheld);
  CHECK(*withheld == 1);  // an operator has no agency's children
  CHECK(!app::span_events(*hub, question("auditor"), {}, told.surroundings, none));
  CHECK(!app::person_events(*hub, question("auditor"), "nhs:9990000018", {}, none, {}));
}
