#include <ostream>

#include "broker/app/as_of_rows.hpp"
#include "broker/app/audit_questions.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"
#include "broker/app/timeline_rows.hpp"
#include "broker/care/filing.hpp"
#include "broker/core/asked_text.hpp"

namespace carehub::app {
namespace {

/// `whose`: many agencies' rows stand one behind the other.
void print_row(std::ostream& out, const wire::RowT& row, bool fields, bool whose) {
  if (is_erased(row)) {
    out << time_text(row.appended_at) << "  #" << row.sequence << "  " << printable(row.text) << '\n';
    return;
  }
  const auto filing = care::filing_from(row.state);
  const bool withheld = row.kind == "withheld";
  out << time_text(row.appended_at) << "  #" << row.sequence << "  " << event_type_name(row.type);
  if (filing.record != 0) out << "  record " << filing.record;
  out << (withheld ? "  withheld from" : "  offered to") << "  " << printable(row.subscription);
  if (whose) out << " (" << printable(row.agency) << ")";
  out << "  " << row.role << "  policy " << row.policy_version;
  if (!row.rule.empty()) out << "  " << printable(row.rule);
  if (filing.decided_in != 0) out << "  decided in #" << filing.decided_in;
  if (!withheld && row.since == 0) out << "  not acknowledged by then";
  if (!withheld && row.since != 0) {
    out << "  acknowledged " << time_text(row.since);
    if (filing.acknowledged_in != 0) out << " in #" << filing.acknowledged_in;
  }
  if (filing.given_up_in != 0) out << "  given up in #" << filing.given_up_in;
  if (!row.text.empty()) out << "  (" << printable(row.text) << ")";
  out << '\n';
  if (fields) print_fields(out, row.view);
}

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
  if (options.rows.csv) surroundings.out << as_of_csv_header() << '\n';
  AsOfViews views;
  const auto rows = each_row(
      **hub, query,
      [&](wire::RowT& row) {
        views.fill(row);
        if (options.rows.json) {
          surroundings.out << as_of_json(row) << '\n';
        } else if (options.rows.csv) {
          surroundings.out << as_of_csv(row) << '\n';
        } else {
          print_row(surroundings.out, row, options.fields, options.agency == core::kEveryAgency);
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
