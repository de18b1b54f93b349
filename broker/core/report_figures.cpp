#include "broker/core/report_figures.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

namespace carehub::core {
namespace {

constexpr std::size_t kColumns = 4;

/// A text that stands between tabs on one line.
std::string cell(std::string text) {
  for (char& each : text) {
    if (static_cast<unsigned char>(each) < ' ' || each == '\x7F') each = '?';
  }
  return text;
}

}  // namespace

const std::vector<FigureGroup>& figure_groups() {
  static const std::vector<FigureGroup> kGroups = {
      {"entries", "", "entries of the ledger by kind", false, true},
      {"erased", "", "entries of a child, or of a refused message, that nobody can read any more", true,
       true},
      {"events", "agency", "events by type and by the agency that sent them", true, true},
      {"stand_ins", "agency", "events that an operator mended for one receiver; not among the events", true,
       true},
      {"marked", "agency", "events that the hub marked, by what it noticed", true, true},
      {"lag", "", "from when it happened to the hub's receipt, where that is known to the minute", true,
       true},
      {"lag_seconds", "agency",
       "the same by sender, in seconds: of so many in a hundred at most (by up to a sixteenth more), and the "
       "longest",
       true, false},
      {"repeats", "agency", "messages that came again and got their old receipt, by channel", false, true},
      {"refusals", "agency", "messages that were refused, by reason", true, true},
      {"dead_letters", "subscription", "deliveries that were given up, by reason", false, true},
      {"dead_letters_handled", "subscription", "dead letters that operators handled", false, true},
      {"disclosures", "role", "events that were shown, by legal basis", false, true},
      {"disclosures_again", "role", "events that were shown again, late or by a replay, by legal basis",
       false, true},
      {"withheld", "role", "events that were not shown, by the rule that decided", false, true},
      {"acknowledged", "subscription", "deliveries that receivers took", false, true},
      {"questions", "role", "questions, exports and replays that are on record", false, true},
      {"conversion", "agency",
       "referrals and raised flags by sender; enquiries (a flag that becomes active, a child protection "
       "conference) that begin within 90 days of one; enquiries whose referral is not on record",
       true, true},
      {"conversion_per_mille", "agency", "enquiries for a thousand referrals of the quarter", true, false},
      {"first_help", "agency",
       "referrals whose first assessment or intervention came in the quarter, by how long it took, and by "
       "who "
       "gave it",
       true, true},
      {"first_help_days", "agency", "the same in days: of so many in a hundred at most, and the longest",
       true, false},
      {"treatment", "agency", "referrals whose treatment began in the quarter, likewise", true, true},
      {"treatment_days", "agency", "the same in days: of so many in a hundred at most, and the longest", true,
       false},
  };
  return kGroups;
}

const FigureGroup* figure_group(std::string_view name) {
  const auto& groups = figure_groups();
  const auto found = std::ranges::find(groups, name, &FigureGroup::name);
  return found == groups.end() ? nullptr : &*found;
}

const ReportDefinition* report_definition(std::uint64_t number) {
  static constexpr std::array kDefinitions = {ReportDefinition{1, true}, ReportDefinition{2, false}};
  const auto* const found = std::ranges::find(kDefinitions, number, &ReportDefinition::number);
  return found == kDefinitions.end() ? nullptr : found;
}

std::string report_name(const Quarter& quarter, std::uint64_t definition) {
  return quarter.name() + ", definition " + std::to_string(definition);
}

std::string figures_text(std::vector<Figure> figures) {
  std::ranges::sort(figures, {}, [](const Figure& each) { return std::tie(each.group, each.name, each.by); });
  std::string text;
  for (const auto& each : figures) {
    text += cell(each.group) + '\t' + cell(each.name) + '\t' + cell(each.by) + '\t' +
            std::to_string(each.value) + '\n';
  }
  return text;
}

Result<std::vector<Figure>> parse_figures(std::string_view text) {
  const auto corrupt = fail(ErrorKind::corrupt, "a report's entry holds no figures that can be read");
  std::vector<Figure> figures;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return corrupt;
    auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    std::array<std::string_view, kColumns> columns;
    for (std::size_t at = 0; at < kColumns; ++at) {
      const auto tab = line.find('\t');
      if ((tab == std::string_view::npos) != (at + 1 == kColumns)) return corrupt;
      columns[at] = line.substr(0, tab);
      line.remove_prefix(std::min(line.size(), columns[at].size() + 1));
    }
    Figure figure{std::string(columns[0]), std::string(columns[1]), std::string(columns[2]), 0};
    const auto value = columns[3];
    const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), figure.value);
    if (error != std::errc() || last != value.data() + value.size()) return corrupt;
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace carehub::core
