#include "broker/app/report_rows.hpp"

#include <algorithm>
#include <map>
#include <ostream>
#include <set>
#include <tuple>

#include "broker/app/csv_line.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/table.hpp"
#include "broker/app/timeline_rows.hpp"

namespace carehub::app {
namespace {

constexpr std::string_view kLongest = "4 longest";

bool counts(const core::Figure& figure) {
  const auto* group = core::figure_group(figure.group);
  return group == nullptr || group->counts;
}

std::string value_text(const ReportFigure& each, std::uint64_t suppressed_below) {
  if (!each.hidden) return std::to_string(each.figure.value);
  return counts(each.figure)
             ? "fewer than " + std::to_string(suppressed_below) + ", or hidden with one that is"
             : "hidden";
}

/// A single hidden count could be told from the others and their sum.
void hide_a_second(std::vector<ReportFigure>& figures, const std::string& group) {
  ReportFigure* next = nullptr;
  std::size_t hidden = 0;
  for (auto& each : figures) {
    if (each.figure.group != group || !counts(each.figure)) continue;
    hidden += each.hidden ? 1 : 0;
    if (!each.hidden && (next == nullptr || each.figure.value < next->figure.value)) next = &each;
  }
  if (hidden == 1 && next != nullptr) next->hidden = true;
}

}  // namespace

Result<ReportTold> report_of(const wire::PageT& page) {
  ReportTold report;
  if (page.rows.empty() || page.rows.front()->kind != "report")
    return fail(ErrorKind::invalid, "the hub's answer holds no report");
  report.head = *page.rows.front();
  std::map<std::tuple<std::string, std::string, std::string>, ReportFigure> figures;
  for (const auto& row : page.rows) {
    if (row->kind == "erasure") report.erasures.push_back(row->sequence);
    const bool was = row->kind == "difference";
    if (!was && row->kind != "figure") continue;
    auto& each = figures[{row->state, row->text, row->agency}];
    each.figure.group = row->state;
    each.figure.name = row->text;
    each.figure.by = row->agency;
    if (!was) each.figure.value = row->pending;
    if (was) each.then = row->pending;
    each.differs = each.differs || was;
  }
  // In the order in which the groups are explained.
  for (const auto& group : core::figure_groups()) {
    for (auto& [place, each] : figures) {
      if (std::get<0>(place) == group.name) report.figures.push_back(std::move(each));
    }
    std::erase_if(figures, [&](const auto& each) { return std::get<0>(each.first) == group.name; });
  }
  for (auto& [place, each] : figures) report.figures.push_back(std::move(each));
  return report;
}

ReportDifferences differences_of(const ReportTold& report) {
  ReportDifferences differences;
  for (const auto& each : report.figures) {
    if (!each.differs) continue;
    ++differences.all;
    const auto* group = core::figure_group(each.figure.group);
    if (group == nullptr || !group->opened || report.erasures.empty()) ++differences.unexplained;
  }
  return differences;
}

void suppress(ReportTold& report, std::uint64_t below) {
  if (below == 0) return;
  report.suppressed_below = below;
  std::set<std::pair<std::string, std::string>> few;  // group and whose, of what rests on too few
  std::set<std::string> groups;
  for (auto& each : report.figures) {
    const auto& figure = each.figure;
    const bool small = figure.value > 0 && figure.value < below;
    each.differs = false;
    each.hidden = counts(figure) && small;
    if (counts(figure)) groups.insert(figure.group);
    if (figure.name == core::kOfHowMany && figure.value < below) few.emplace(figure.group, figure.by);
  }
  for (const auto& group : groups) hide_a_second(report.figures, group);
  for (const auto& each : report.figures) {
    // With the rate, one of the two counts that it is of would tell the other.
    if (each.figure.group == "conversion" && each.hidden) few.emplace("conversion_per_mille", each.figure.by);
  }
  for (auto& each : report.figures) {
    if (counts(each.figure)) continue;
    // A sum that is shown would tell what is hidden of it.
    each.hidden = each.figure.name == kLongest || each.figure.name == core::kOfHowMany ||
                  few.contains({each.figure.group, each.figure.by});
  }
}

void print_report(std::ostream& out, const ReportTold& report) {
  const auto& head = report.head;
  out << printable(head.text) << ": from " << time_text(head.since) << " until "
      << time_text(head.occurred_at) << ", UTC, by when the hub received it\n";
  if (head.state == "provisional") {
    out << "provisional: the quarter is not over, and nothing of this is written down as final\n";
  } else {
    out << (head.state == "first" ? "made for the first time, as entry " : "first made as entry ")
        << head.sequence << ", " << time_text(head.appended_at) << ", by " << printable(head.by) << ": "
        << printable(head.reason) << '\n';
  }
  std::vector<std::vector<std::string>> rows;
  const auto end_group = [&](const std::string& group) {
    const auto* known = core::figure_group(group);
    out << '\n' << printable(group) << ": " << (known == nullptr ? "" : known->title) << '\n';
    print_table(out, {"name", known == nullptr ? "by" : std::string(known->by), "figure", "when first made"},
                rows);
    rows.clear();
  };
  for (std::size_t at = 0; at < report.figures.size(); ++at) {
    const auto& each = report.figures[at];
    rows.push_back({printable(each.figure.name), printable(each.figure.by),
                    value_text(each, report.suppressed_below),
                    each.differs ? std::to_string(each.then) : ""});
    if (at + 1 == report.figures.size() || report.figures[at + 1].figure.group != each.figure.group)
      end_group(each.figure.group);
  }
}

void print_report_json(std::ostream& out, const ReportTold& report) {
  const auto& head = report.head;
  JsonLine line;
  line.add("kind", "report").add("report", head.text).add("definition", head.policy_version);
  line.add("from", time_text(head.since)).add("until", time_text(head.occurred_at)).add("state", head.state);
  line.add("through", head.pending);
  if (head.sequence != 0) line.add("sequence", head.sequence).add("made_at", time_text(head.appended_at));
  if (head.sequence != 0) line.add("by", head.by).add("reason", head.reason);
  if (report.suppressed_below != 0) line.add("suppressed_below", report.suppressed_below);
  out << line.text() << '\n';
  for (const auto& each : report.figures) {
    JsonLine figure;
    figure.add("kind", each.differs ? "difference" : "figure").add("group", each.figure.group);
    figure.add("name", each.figure.name).add("by", each.figure.by);
    if (each.hidden) {
      figure.add_flag("suppressed", true);
    } else {
      figure.add("value", each.figure.value);
    }
    if (each.differs) figure.add("first_made", each.then);
    out << figure.text() << '\n';
  }
  for (const auto sequence : report.erasures)
    out << JsonLine().add("kind", "erasure").add("sequence", sequence).text() << '\n';
}

void print_report_csv(std::ostream& out, const ReportTold& report) {
  CsvLine header;
  for (const auto* name : {"report", "state", "group", "name", "by", "value", "first_made"}) header.add(name);
  out << header.text() << '\n';
  for (const auto& each : report.figures) {
    CsvLine line;
    line.add(report.head.text).add(report.head.state).add(each.figure.group).add(each.figure.name);
    line.add(each.figure.by).add(each.hidden ? std::string("suppressed") : std::to_string(each.figure.value));
    line.add(each.differs ? std::to_string(each.then) : std::string());
    out << line.text() << '\n';
  }
}

}  // namespace carehub::app
