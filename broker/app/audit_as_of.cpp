#include <map>
#include <ostream>

#include "broker/app/audit_questions.hpp"
#include "broker/app/csv_line.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"

namespace carehub::app {
namespace {

std::string time_text(std::int64_t at_us) { return at_us == 0 ? "" : to_rfc3339(Timestamp{at_us}); }

std::string view_json(const wire::RowT& row) {
  const auto* event = row.view.empty() ? nullptr : verified_event(row.view);
  return event == nullptr ? std::string() : event_to_json(*event);
}

std::string row_json(const wire::RowT& row) {
  const bool withheld = row.kind == "withheld";
  JsonLine line;
  line.add("sequence", row.sequence).add("type", event_type_name(row.type));
  if (!row.agency.empty()) line.add("agency", row.agency);
  line.add("subscription", row.subscription).add("role", row.role).add("kind", row.kind);
  line.add(withheld ? "withheld_at" : "offered_at", time_text(row.appended_at));
  if (row.since != 0) line.add("acknowledged_at", time_text(row.since));
  if (!withheld) line.add("attempts", std::uint64_t{row.attempts});
  line.add("policy_version", row.policy_version).add("rule", row.rule);
  if (!row.legal_basis.empty()) line.add("legal_basis", row.legal_basis);
  if (!row.text.empty()) line.add("text", row.text);
  add_event(line, row.view);
  return line.text();
}

std::string csv_header() {
  CsvLine line;
  for (const auto* name :
       {"sequence", "type", "agency", "subscription", "role", "kind", "decided_at", "acknowledged_at",
        "attempts", "policy_version", "rule", "legal_basis", "text", "event"}) {
    line.add(name);
  }
  return line.text();
}

std::string row_csv(const wire::RowT& row) {
  CsvLine line;
  line.add(row.sequence).add(event_type_name(row.type)).add(row.agency).add(row.subscription).add(row.role);
  line.add(row.kind).add(time_text(row.appended_at)).add(time_text(row.since));
  line.add(std::uint64_t{row.attempts}).add(row.policy_version).add(row.rule).add(row.legal_basis);
  line.add(row.text).add(view_json(row));
  return line.text();
}

void print_row(std::ostream& out, const wire::RowT& row, bool fields) {
  out << time_text(row.appended_at) << "  #" << row.sequence << "  " << event_type_name(row.type) << "  "
      << (row.kind == "withheld" ? "withheld from" : "offered to") << "  " << printable(row.subscription)
      << "  " << row.role << "  policy " << row.policy_version;
  if (!row.rule.empty()) out << "  " << printable(row.rule);
  if (row.kind != "withheld") {
    out << (row.since == 0 ? "  not acknowledged by then" : "  acknowledged " + time_text(row.since));
  }
  if (!row.text.empty()) out << "  (" << printable(row.text) << ")";
  out << '\n';
  if (fields) print_fields(out, row.view);
}

/// The hub sends the view once for each rule of a policy of an event.
class Views {
 public:
  void fill(wire::RowT& row) {
    if (row.sequence != sequence_) views_.clear();
    sequence_ = row.sequence;
    if (row.kind == "withheld") return;
    auto& view = views_[{row.rule, row.policy_version}];
    if (view.empty()) {
      view = row.view;
    } else if (row.view.empty() && !row.rule.empty()) {
      row.view = view;
    }
  }

 private:
  std::uint64_t sequence_ = 0;
  std::map<std::pair<std::string, std::uint64_t>, std::vector<std::uint8_t>> views_;
};

}  // namespace

ExitCode audit_as_of(const AsOfOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  auto at = moment_through(options.at, "--at");
  if (!at) return complain(surroundings, at.error());
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  wire::QueryT query;
  query.kind = wire::QueryKind::as_of;
  query.person = *person;
  query.agency = options.agency;
  query.at = *at;
  query.by = options.by;
  query.reason = options.reason;
  if (options.rows.csv) surroundings.out << csv_header() << '\n';
  Views views;
  const auto rows = each_row(
      **hub, query,
      [&](wire::RowT& row) {
        views.fill(row);
        if (options.rows.json) {
          surroundings.out << row_json(row) << '\n';
        } else if (options.rows.csv) {
          surroundings.out << row_csv(row) << '\n';
        } else {
          print_row(surroundings.out, row, options.fields);
        }
      },
      [&](const std::string& text) { surroundings.err << text << '\n'; });
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  if (*rows == 0) {
    return complain(surroundings, ExitCode::not_found,
                    "nothing of this person had been offered to the agency or withheld from it by then");
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
