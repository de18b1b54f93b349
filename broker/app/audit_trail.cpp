#include <ostream>

#include "broker/app/audit_questions.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/table.hpp"
#include "broker/app/trail_rows.hpp"

namespace carehub::app {
namespace {

void print_row(std::ostream& out, const wire::RowT& row) {
  out << to_rfc3339(Timestamp{row.appended_at}) << "  #" << row.sequence << "  " << printable(row.state);
  if (row.kind == "may_have_shown") out << "  (may have shown)";
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
  if (options.rows.csv) surroundings.out << trail_csv_header() << '\n';
  bool of_many = false;
  const auto tell = [&](const wire::RowT& row) {
    of_many = of_many || row.kind == "may_have_shown";
    if (options.rows.json) {
      surroundings.out << trail_json(row) << '\n';
    } else if (options.rows.csv) {
      surroundings.out << trail_csv(row) << '\n';
    } else {
      print_row(surroundings.out, row);
    }
  };
  const auto rows =
      each_row(**hub, query, tell, [&](const std::string& remark) { surroundings.err << remark << '\n'; });
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  if (of_many) {
    surroundings.err
        << "rows of the kind may_have_shown are of what was asked of a journey, an agency or a span in which "
           "this person has an event\n";
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
