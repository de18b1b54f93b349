#include <algorithm>
#include <ostream>

#include "broker/app/csv_line.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/policy_questions.hpp"
#include "broker/app/table.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {
namespace {

constexpr std::int64_t kDayUs = std::int64_t{24} * 60 * 60 * kSecondUs;
constexpr const char* kEventItself = "(the event itself)";
constexpr const char* kOperators = "(operators)";

std::string counted(std::uint64_t count, const std::string& one, const std::string& more) {
  return std::to_string(count) + " " + (count == 1 ? one : more);
}

/// What becomes of a field; of the event itself whether it is seen at all.
std::string becomes(const wire::RowT& row, const std::string& state) {
  if (!row.path.empty()) return state;
  return state == "shown" ? "seen" : "not seen";
}

/// The cells of a change, as the headings below name them; the numbers as text.
std::vector<std::string> cells_of(const wire::RowT& row) {
  return {row.role,
          row.agency.empty() ? kOperators : row.agency,
          event_type_name(row.type),
          row.path.empty() ? kEventItself : row.path,
          becomes(row, row.state_before),
          becomes(row, row.state),
          row.text,
          std::to_string(row.pending),
          std::to_string(row.sequence),
          row.rule_before.empty() ? "(none)" : row.rule_before,
          row.rule.empty() ? "(none)" : row.rule};
}

void print_csv(const wire::PageT& page, std::ostream& out) {
  CsvLine header;
  for (const auto* name : {"role", "agency", "event", "field", "before", "after", "change", "events",
                           "first_example", "rule_before", "rule_after"})
    header.add(name);
  out << header.text() << "\r\n";
  for (const auto& row : page.rows) {
    if (row->kind != "change") continue;
    CsvLine line;
    for (const auto& cell : cells_of(*row)) line.add(cell);
    out << line.text() << "\r\n";
  }
}

void print_changes(const wire::PageT& page, std::ostream& out) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : page.rows) {
    if (row->kind != "change") continue;
    auto cells = cells_of(*row);
    for (auto& cell : cells) cell = printable(cell);
    rows.push_back(std::move(cells));
  }
  print_table(out,
              {"role", "agency", "event", "field", "before", "after", "sees", "events", "first",
               "rule before", "rule after"},
              rows);
}

std::string cut_text(const wire::RowT& row) {
  const auto count = std::to_string(row.pending);
  if (row.text == "fields")
    return "not every change has a line: " + count +
           " times a field would change in a way that is left out above; the totals have them";
  if (row.text == "events")
    return "not every change has a line: " + count +
           " times an event would be newly seen, or no more, in a way that is left out above; the totals "
           "have "
           "them";
  if (row.text == "pairs")
    return "too many roles and agencies: " + count + " pairs were not tried, and are not in the totals";
  return count + " more are in one policy alone and not named";
}

/// What stands beside the changes.
void print_remarks(const wire::PageT& page, std::ostream& out) {
  for (const auto& row : page.rows) {
    const auto only = std::string("only in the ") + row->state + " policy";
    if (row->kind == "role") out << "role " << printable(row->role) << ": " << only << '\n';
    if (row->kind == "party")
      out << "party to an agreement " << printable(row->agency) << ": " << only << '\n';
    if (row->kind == "cut") out << cut_text(*row) << '\n';
  }
}

std::uint64_t pairs_of(const wire::PageT& page, const std::string& state) {
  for (const auto& row : page.rows) {
    if (row->kind == "pairs" && row->state == state) return row->pending;
  }
  return 0;
}

bool changes_something(const wire::PageT& page) {
  return std::ranges::any_of(page.rows,
                             [](const auto& row) { return row->kind == "change" || row->kind == "cut"; });
}

std::string totals_of(const wire::PageT& page, std::uint32_t days) {
  const auto& head = *page.rows.front();
  auto text = counted(head.pending, "event", "events") + " of " + counted(days, "day", "days") + " tried";
  if (head.dead_letters > 0)
    text += " (" + counted(head.dead_letters, "more has", "more have") + " been erased)";
  if (head.attempts > 0) {
    text += " (" + counted(head.attempts, "more does", "more do") +
            " not open: run `carehub audit verify --ledger DATA`)";
  }
  if (!changes_something(page)) return text + "; nothing changes: nobody would see more or less of them";
  return text + "; " +
         counted(pairs_of(page, "more"), "pair of role and agency would", "pairs of role and agency would") +
         " see more, " + std::to_string(pairs_of(page, "less")) + " less";
}

/// What has no name is left out: an operators' agency, the field where it is the event itself, no rule.
std::string json_of(const wire::RowT& row) {
  JsonLine line;
  const auto add = [&line](const char* name, const std::string& text) {
    if (!text.empty()) line.add(name, text);
  };
  add("role", row.role);
  add("agency", row.agency);
  line.add("event", event_type_name(row.type));
  add("field", row.path);
  line.add("before", becomes(row, row.state_before)).add("after", becomes(row, row.state));
  line.add("change", row.text).add("events", row.pending).add("first_example", row.sequence);
  add("rule_before", row.rule_before);
  add("rule_after", row.rule);
  return line.text();
}

/// All of it as one object, in the README's form.
void print_json(const wire::PageT& page, std::uint32_t days, std::ostream& out) {
  JsonList changes;
  JsonList only_in_one;
  JsonList left_out;
  for (const auto& row : page.rows) {
    if (row->kind == "change") changes.add_json(json_of(*row));
    if (row->kind == "role" || row->kind == "party") {
      const auto& name = row->kind == "role" ? row->role : row->agency;
      only_in_one.add_json(
          JsonLine().add("kind", row->kind).add("name", name).add("policy", row->state).text());
    }
    if (row->kind == "cut")
      left_out.add_json(JsonLine().add("what", row->text).add("count", row->pending).text());
  }
  const auto& head = *page.rows.front();
  JsonLine line;
  line.add("days", days).add("events", head.pending).add("erased", head.dead_letters);
  line.add("unopened", head.attempts);
  line.add("pairs_more", pairs_of(page, "more")).add("pairs_less", pairs_of(page, "less"));
  line.add_json("changes", changes.text()).add_json("only_in_one", only_in_one.text());
  line.add_json("left_out", left_out.text());
  out << line.text() << '\n';
}

/// Its text, or none for the one that decides; nullopt: it has a fault, which is told.
std::optional<std::string> text_of(const std::string& policy, Surroundings& surroundings) {
  if (policy == kCurrentPolicy) return std::string();
  return sound_policy(policy, surroundings);
}

}  // namespace

ExitCode policy_diff(const PolicyDiffOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto before = text_of(options.old_policy, surroundings);
  auto after = text_of(options.new_policy, surroundings);
  if (!before || !after) return ExitCode::wrong_input;
  wire::QueryT query;
  query.kind = wire::QueryKind::policy_diff;
  query.old_policy = std::move(*before);
  query.policy = std::move(*after);
  query.first_at = SystemClock().now().us - options.days * kDayUs;
  query.by = options.by;
  query.reason = options.reason;
  auto hub = connect(*config, "carehub policy", {});
  if (!hub) return complain(surroundings, hub.error());
  const auto page = ask(**hub, std::move(query));
  if (!page) return complain(surroundings, page.error());
  if (page->rows.empty() || page->rows.front()->kind != "policy_diff")
    return complain(surroundings, ExitCode::unavailable, "the hub does not say what would change");
  if (options.json) {
    print_json(*page, options.days, surroundings.out);
    surroundings.out << std::flush;
    return ExitCode::ok;
  }
  options.csv ? print_csv(*page, surroundings.out) : print_changes(*page, surroundings.out);
  auto& beside = options.csv ? surroundings.err : surroundings.out;
  print_remarks(*page, beside);
  beside << totals_of(*page, options.days) << '\n';
  surroundings.out << std::flush;
  surroundings.err << std::flush;
  return ExitCode::ok;
}

}  // namespace carehub::app
