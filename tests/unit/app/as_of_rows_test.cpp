#include "broker/app/as_of_rows.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub;

namespace {

wire::RowT row_of(const char* kind, const char* state) {
  wire::RowT row;
  row.sequence = 7;
  row.kind = kind;
  row.subscription = "=desk";
  row.state = state;
  row.appended_at = 1'700'000'000'000'000;
  return row;
}

}  // namespace

TEST_CASE("a disclosure's line names the entries that say so, and under which record its event is filed") {
  auto row = row_of("acknowledged", "record 2, decided in 17, acknowledged in 19");
  row.since = row.appended_at;
  const auto json = app::as_of_json(row);
  for (const auto* word : {R"("record":2)", R"("decided_in":17)", R"("acknowledged_in":19)"})
    CHECK(json.find(word) != std::string::npos);
  CHECK(json.find("given_up_in") == std::string::npos);
  const auto withheld = app::as_of_json(row_of("withheld", "decided in 17"));
  CHECK(withheld.find("withheld_at") != std::string::npos);
  CHECK(withheld.find("record") == std::string::npos);
  CHECK(withheld.find("acknowledged_in") == std::string::npos);
  const auto line = app::as_of_csv(row);
  CHECK(std::ranges::count(app::as_of_csv_header(), ',') == std::ranges::count(line, ','));
  CHECK(line.find(",17,") != std::string::npos);
  CHECK(line.find("'=desk") != std::string::npos);
}

TEST_CASE("of an erased entry a line says neither that it was offered nor that it was withheld") {
  auto row = row_of("erased", "");
  row.text = "this entry has been erased";
  row.subscription.clear();
  const auto json = app::as_of_json(row);
  for (const auto* word : {"offered", "withheld", "attempts", "policy_version"})
    CHECK(json.find(word) == std::string::npos);
  CHECK(json.find(R"("kind":"erased")") != std::string::npos);
  CHECK(json.find("has been erased") != std::string::npos);
  const auto line = app::as_of_csv(row);
  CHECK(std::ranges::count(app::as_of_csv_header(), ',') == std::ranges::count(line, ','));
  CHECK(line.find("2023-") == std::string::npos);
  CHECK(line.find(",0,") == std::string::npos);
}

TEST_CASE("a view that came once is that of each row of its rule and policy, and of no other event") {
  app::AsOfViews views;
  auto first = row_of("offered", "");
  first.rule = "a rule";
  first.view = {1, 2, 3};
  views.fill(first);
  auto second = row_of("offered", "");
  second.rule = "a rule";
  views.fill(second);
  CHECK(second.view == first.view);
  auto withheld = row_of("withheld", "");
  withheld.rule = "a rule";
  views.fill(withheld);
  CHECK(withheld.view.empty());
  auto other = row_of("offered", "");
  other.rule = "a rule";
  other.sequence = 8;
  views.fill(other);
  CHECK(other.view.empty());
}
