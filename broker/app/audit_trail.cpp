#include <ostream>

#include "broker/app/audit_questions.hpp"
#include "broker/app/csv_line.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/table.hpp"

namespace carehub::app {
namespace {

std::string row_json(const wire::RowT& row) {
  JsonLine line;
  line.add("sequence", row.sequence).add("appended_at", to_rfc3339(Timestamp{row.appended_at}));
  line.add("kind", row.kind);
  if (!row.state.empty()) line.add("act", row.state);
  if (!row.by.empty()) line.add("by", row.by);
  if (!row.agency.empty()) line.add("agency", row.agency);
  if (!row.role.empty()) line.add("role", row.role);
  if (!row.subscription.empty()) line.add("subscription", row.subscription);
  if (!row.text.empty()) line.add("text", row.text);
  if (!row.reason.empty()) line.add("reason", row.reason);
  return line.text();
}

std::string csv_header() {
  CsvLine line;
  for (const auto* name :
       {"sequence", "appended_at", "kind", "act", "by", "agency", "role", "subscription", "text", "reason"}) {
    line.add(name);
  }
  return line.text();
}

std::string row_csv(const wire::RowT& row) {
  CsvLine line;
  line.add(row.sequence).add(to_rfc3339(Timestamp{row.appended_at})).add(row.kind).add(row.state);
  line.add(row.by).add(row.agency).add(row.role).add(row.subscription).add(row.text).add(row.reason);
  return line.text();
}

void print_row(std::ostream& out, const wire::RowT& row) {
  out << to_rfc3339(Timestamp{row.appended_at}) << "  #" << row.sequence << "  " << printable(row.state);
  for (const auto& word : {row.subscription, row.text, row.role}) {
    if (!word.empty()) out << "  " << printable(word);
  }
  if (!row.by.empty()) out << "  by " << printable(row.by);
  if (!row.agency.empty()) out << " (" << printable(row.agency) << ")";
  if (!row.reason.empty()) out << ": " << printable(row.reason);
  out << '\n';
}

}  // namespace

ExitCode audit_trail(const TrailOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  wire::QueryT query;
  query.kind = wire::QueryKind::trail;
  query.by = options.by;
  query.reason = options.reason;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  query.person = *person;
  if (!options.since.empty()) {
    auto since = moment(options.since, "--since", false);
    if (!since) return complain(surroundings, since.error());
    query.first_at = *since;
  }
  if (!options.until.empty()) {
    auto until = moment(options.until, "--until", true);
    if (!until) return complain(surroundings, until.error());
    query.last_at = *until;
  }
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  if (options.rows.csv) surroundings.out << csv_header() << '\n';
  const auto rows = each_row(**hub, query, [&](const wire::RowT& row) {
    if (options.rows.json) {
      surroundings.out << row_json(row) << '\n';
    } else if (options.rows.csv) {
      surroundings.out << row_csv(row) << '\n';
    } else {
      print_row(surroundings.out, row);
    }
  });
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  if (!person->empty()) {
    surroundings.err
        << "what was asked of a journey, an agency or everything may have shown this person, too: "
           "the trail without a person has it\n";
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
