#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "broker/core/report_figures.hpp"
#include "schemas/wire_generated.h"

/// A report as a hub's page tells it, and as it is printed.
namespace carehub::app {

/// A figure, what it was when the report was first made, and whether it may be shown.
struct ReportFigure {
  core::Figure figure;
  std::uint64_t then = 0;
  bool differs = false;
  bool hidden = false;
};

struct ReportTold {
  wire::RowT head;  // as care::Report makes it
  std::vector<ReportFigure> figures;
  std::vector<std::uint64_t> erasures;  // since, by the number of their entries
  std::uint64_t suppressed_below = 0;
};

/// Error `invalid`: the page holds no report.
Result<ReportTold> report_of(const wire::PageT& page);

/// How many figures are others than when the report was first made, and how many of these no erasure
/// explains: they are counted from what is never erased, or nothing was erased since.
struct ReportDifferences {
  std::size_t all = 0;
  std::size_t unexplained = 0;
};
ReportDifferences differences_of(const ReportTold& report);

/// Hides counts from 1 to below `below`, and what would tell them: percentiles and rates that rest on so few,
/// the longest times, which are one child's each, and where one count of a group alone is hidden its next
/// smallest. What a figure was when the report was first made is not told any more.
void suppress(ReportTold& report, std::uint64_t below);

void print_report(std::ostream& out, const ReportTold& report);
/// One object a line: the report, its figures, differences and erasures.
void print_report_json(std::ostream& out, const ReportTold& report);
void print_report_csv(std::ostream& out, const ReportTold& report);

}  // namespace carehub::app
