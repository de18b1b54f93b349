#include "broker/app/report_rows.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

using namespace carehub;

namespace {

struct Page {
  wire::PageT page;

  explicit Page(const std::string& state = "first") {
    add("report", "", "2026-Q1, definition 1", "", 900);
    page.rows[0]->state = state;
    page.rows[0]->sequence = 901;
    page.rows[0]->policy_version = 1;
    page.rows[0]->by = "an auditor";
  }
  Page& add(const std::string& kind, const std::string& group, const std::string& name, const std::string& by,
            std::uint64_t value) {
    auto row = std::make_unique<wire::RowT>();
    row->kind = kind;
    row->state = group;
    row->text = name;
    row->agency = by;
    row->pending = value;
    page.rows.push_back(std::move(row));
    return *this;
  }
  Page& erasure(std::uint64_t sequence) {
    add("erasure", "", "", "", 0);
    page.rows.back()->sequence = sequence;
    return *this;
  }
  app::ReportTold told() const { return *app::report_of(page); }
};

bool hidden(const app::ReportTold& report, const std::string& name, const std::string& by = {}) {
  return std::ranges::any_of(report.figures, [&](const auto& each) {
    return each.figure.name == name && each.figure.by == by && each.hidden;
  });
}

}  // namespace

TEST_CASE("differences are explained by an erasure alone, and only in what is counted from sealed bodies") {
  Page page("again");
  page.add("figure", "events", "admission", "a", 8).add("figure", "events", "referral", "a", 3);
  CHECK(app::differences_of(page.told()).all == 0);
  page.add("difference", "events", "admission", "a", 9).add("difference", "events", "death", "a", 1);
  CHECK(app::differences_of(page.told()).all == 2);
  CHECK(app::differences_of(page.told()).unexplained == 2);
  page.erasure(950);
  CHECK(app::differences_of(page.told()).unexplained == 0);
  page.add("difference", "withheld", "no rule", "a", 4);
  CHECK(app::differences_of(page.told()).all == 3);
  CHECK(app::differences_of(page.told()).unexplained == 1);
}

TEST_CASE("a small count is hidden, and never alone in its group") {
  Page page;
  page.add("figure", "events", "admission", "a", 40).add("figure", "events", "death", "a", 1);
  page.add("figure", "events", "referral", "a", 12).add("figure", "repeats", "adt", "a", 5);
  auto report = page.told();
  app::suppress(report, 5);
  CHECK(hidden(report, "death", "a"));
  CHECK(hidden(report, "referral", "a"));
  CHECK_FALSE(hidden(report, "admission", "a"));
  CHECK_FALSE(hidden(report, "adt", "a"));
  std::ostringstream csv;
  app::print_report_csv(csv, report);
  CHECK(csv.str().find("death,a,suppressed,") != std::string::npos);
  CHECK(csv.str().find("admission,a,40,") != std::string::npos);
  auto all = page.told();
  app::suppress(all, 0);
  CHECK(std::ranges::none_of(all.figures, [](const auto& each) { return each.hidden; }));
}

TEST_CASE("percentiles and rates that rest on few are hidden, and one child's longest wait always is") {
  Page page;
  for (const auto* by : {"many", "few"}) {
    const std::uint64_t count = by == std::string("few") ? 2 : 60;
    page.add("figure", "first_help", "1 within 7 days", by, count);
    page.add("figure", "first_help_days", "0 of how many", by, count);
    page.add("figure", "first_help_days", "1 half, at most", by, 6);
    page.add("figure", "first_help_days", "4 longest", by, 7);
    page.add("figure", "conversion", "referrals", by, count);
    page.add("figure", "conversion", "enquiries", by, count);
    page.add("figure", "conversion_per_mille", "per mille", by, 1000);
  }
  auto report = page.told();
  app::suppress(report, 5);
  CHECK(hidden(report, "1 half, at most", "few"));
  CHECK_FALSE(hidden(report, "1 half, at most", "many"));
  CHECK(hidden(report, "4 longest", "many"));
  CHECK(hidden(report, "per mille", "few"));
  CHECK_FALSE(hidden(report, "per mille", "many"));
}

TEST_CASE("a rate is hidden where one of its two counts is, even one that is hidden for another's sake") {
  Page page;
  page.add("figure", "conversion", "enquiries", "large", 40)
      .add("figure", "conversion", "referrals", "large", 80)
      .add("figure", "conversion", "enquiries", "other", 6)
      .add("figure", "conversion", "referrals", "other", 60)
      .add("figure", "conversion", "referrals", "small", 3);
  for (const auto* by : {"large", "other", "small"})
    page.add("figure", "conversion_per_mille", "per mille", by, by == std::string("small") ? 0 : 100);
  auto report = page.told();
  app::suppress(report, 5);
  CHECK(hidden(report, "referrals", "small"));
  CHECK(hidden(report, "enquiries", "other"));  // the smallest beside it
  CHECK(hidden(report, "per mille", "small"));
  CHECK(hidden(report, "per mille", "other"));
  CHECK_FALSE(hidden(report, "per mille", "large"));
}

TEST_CASE("what is suppressed does not come back by what it was before an erasure") {
  Page page("again");
  page.add("figure", "events", "admission", "a", 40)
      .add("difference", "events", "admission", "a", 41)
      .erasure(950);
  auto report = page.told();
  app::suppress(report, 5);
  for (const auto& print : {app::print_report, app::print_report_json, app::print_report_csv}) {
    std::ostringstream out;
    print(out, report);
    CHECK(out.str().find("41") == std::string::npos);
  }
}

TEST_CASE("a report is printed for people, as JSON lines and as CSV in which no cell is a formula") {
  Page page("again");
  page.add("figure", "refusals", "=cmd", "a", 7).add("difference", "refusals", "=cmd", "a", 8).erasure(950);
  const auto report = page.told();
  std::ostringstream text, json, csv;
  app::print_report(text, report);
  CHECK(text.str().find("refusals: messages that were refused, by reason") != std::string::npos);
  CHECK(text.str().find("first made as entry 901") != std::string::npos);
  app::print_report_json(json, report);
  CHECK(json.str().find(
            R"({"kind":"difference","group":"refusals","name":"=cmd","by":"a","value":7,"first_made":8})") !=
        std::string::npos);
  CHECK(json.str().find(R"({"kind":"erasure","sequence":950})") != std::string::npos);
  app::print_report_csv(csv, report);
  CHECK(csv.str().find(R"("2026-Q1, definition 1",again,refusals,"'=cmd",a,7,8)") != std::string::npos);
}

TEST_CASE("a page without a report is told") { CHECK_FALSE(app::report_of({})); }
