#include "broker/core/report_figures.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("figures are one text whatever their order, and are read back from it") {
  const std::vector<core::Figure> figures = {
      {"events", "admission", "elwick-hospital", 12},
      {"events", "admission", "fenbrook-camhs", 18'446'744'073'709'551'615U},
      {"lag", "14 not said", "", 1}};
  const auto text = core::figures_text(figures);
  CHECK(text.starts_with("events\tadmission\telwick-hospital\t12\n"));
  auto other = figures;
  std::ranges::reverse(other);
  CHECK(core::figures_text(other) == text);
  const auto back = core::parse_figures(text);
  REQUIRE(back);
  CHECK(*back == figures);
}

TEST_CASE("a name with a tab or a line break in it stays one figure") {
  const auto text = core::figures_text({{"refusals", "a\tb\nc", "x", 1}});
  CHECK(text == "refusals\ta?b?c\tx\t1\n");
}

TEST_CASE("what is no text of figures is told") {
  for (const auto* wrong : {"events", "events\ta\tb\n", "events\ta\tb\t1", "events\ta\tb\t1\t2\n",
                            "a\tb\tc\t-1\n", "a\tb\tc\t\n", "a\tb\tc\t1x\n", "\n"})
    CHECK_FALSE(core::parse_figures(wrong));
  CHECK(core::parse_figures("")->empty());
}

TEST_CASE("every group is named once and says what it counts, and definitions are there by number") {
  for (const auto& group : core::figure_groups()) {
    CHECK(core::figure_group(group.name) == &group);
    CHECK_FALSE(group.title.empty());
  }
  CHECK(core::figure_group("weather") == nullptr);
  REQUIRE(core::report_definition(core::kReportDefinitionUsual) != nullptr);
  CHECK(core::report_definition(1)->senders_times);
  CHECK_FALSE(core::report_definition(2)->senders_times);
  CHECK(core::report_definition(0) == nullptr);
}
