#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/report_period.hpp"

/// What a quarter's figures are, and how they are written down.
namespace carehub::core {

/// What a figure counts, of what and of whom: a whole number. What there was none of has no figure.
struct Figure {
  std::string group;
  std::string name;
  std::string by;  // agency, subscription or role, as the group says
  std::uint64_t value = 0;
  friend bool operator==(const Figure&, const Figure&) = default;
};

/// A group of figures, as reports name and explain it.
struct FigureGroup {
  std::string_view name;
  std::string_view by;     // whose each figure is; empty: all of it
  std::string_view title;  // what is counted, in plain words
  bool opened;             // counted from what is sealed under a child's own key: less after an erasure
  bool counts;             // how many there were; false: how long something took, or a rate
};
const std::vector<FigureGroup>& figure_groups();
/// In a group that tells how long things took: the count that its other figures of the same whose rest on.
constexpr std::string_view kOfHowMany = "0 of how many";
/// nullptr: no definition knows it.
const FigureGroup* figure_group(std::string_view name);

/// How figures are counted. A definition never changes; one that counts otherwise gets the next number.
struct ReportDefinition {
  std::uint64_t number = 1;
  bool senders_times = true;  // waits by when things happened as senders say; false: as the hub received them
};
constexpr std::uint64_t kReportDefinitionUsual = 1;
/// nullptr: there is none of this number.
const ReportDefinition* report_definition(std::uint64_t number);

/// What a report's entry is called: 2026-Q1, definition 1.
std::string report_name(const Quarter& quarter, std::uint64_t definition);

/// One figure a line, in order: group, name, by, value, with tabs between them.
std::string figures_text(std::vector<Figure> figures);
/// Error `corrupt`: it is no such text.
Result<std::vector<Figure>> parse_figures(std::string_view text);

}  // namespace carehub::core
