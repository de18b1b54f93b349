#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"
#include "broker/app/timeline_rows.hpp"
#include "broker/care/filing.hpp"
#include "broker/care/timeline.hpp"

/// timeline, status: questions about the record.
namespace carehub::app {
namespace {

/// When it happened and when the hub wrote it down stand side by side.
void print_row(std::ostream& out, const wire::RowT& row, bool fields) {
  const auto written = time_text(row.appended_at);
  const auto happened = time_text(row.occurred_at);
  out << (happened.empty() ? std::string(written.size(), ' ') : happened) << "  " << written << "  #"
      << row.sequence << "  " << row.kind;
  for (const auto& word : {type_text(row.type), row.agency, row.subscription, row.role}) {
    if (!word.empty()) out << "  " << word;
  }
  const auto filing = care::filing_from(row.state);
  if (filing.record != 0) out << "  record " << filing.record;
  if (filing.decided_in != 0) out << "  decided in #" << filing.decided_in;
  if (filing.acknowledged_in != 0) out << "  acknowledged in #" << filing.acknowledged_in;
  if (filing.given_up_in != 0) out << "  given up in #" << filing.given_up_in;
  if (!row.text.empty()) out << "  " << printable(row.text);
  if (!row.marks.empty()) out << "  (" << marks_text(row.marks) << ")";
  out << '\n';
  if (fields) print_fields(out, row.view);
}

/// Whom or what it is about and what is let through.
Result<wire::QueryT> question_of(const TimelineOptions& options, const server::HubConfig& config,
                                 const std::string& person) {
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = person;
  query.journey = options.journey;
  query.role = options.role;
  // What one agency sent is asked by an operator; of a person it says in whose name.
  auto acting = acting_agency(config, options.role, options.agency);
  if (!acting && (!person.empty() || !options.agency.empty())) return tl::unexpected(acting.error());
  query.agency = person.empty() ? options.agency : *acting;
  auto filter = filter_of(options.types);
  if (!filter) return tl::unexpected(filter.error());
  query.types = std::move(filter->types);
  query.channel = options.channel;
  if (!options.since.empty()) {
    auto since = moment(options.since, "--since", false);
    if (!since) return tl::unexpected(since.error());
    query.first_at = *since;
  }
  if (!options.until.empty()) {
    auto until = moment(options.until, "--until", true);
    if (!until) return tl::unexpected(until.error());
    query.last_at = *until;
  }
  if (!person.empty()) query.path = care::Timeline::kNamesEntries;
  query.by = options.by;
  query.reason = options.reason;
  return query;
}

/// A count of the hub, or of one subscription: zero is an answer, too.
std::string status_json(const wire::RowT& row) {
  JsonLine line;
  line.add("kind", row.kind);
  if (!row.subscription.empty()) {
    line.add("subscription", row.subscription).add("agency", row.agency).add("role", row.role);
  }
  line.add(row.subscription.empty() ? "count" : "waiting", row.pending);
  if (!row.text.empty()) line.add("text", row.text);
  return line.text();
}

}  // namespace

ExitCode timeline(const TimelineOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  if (person->empty() && options.journey.empty() && options.agency.empty()) {
    return complain(surroundings, ExitCode::usage,
                    "nobody is named: give --person, --person-file, --journey or --agency");
  }
  auto query = question_of(options, *config, *person);
  if (!query) return complain(surroundings, query.error());
  auto hub = connect(*config, "carehub timeline", {});
  if (!hub) return complain(surroundings, hub.error());
  if (options.csv) surroundings.out << timeline_csv_header() << '\n';
  const auto rows = each_row(
      **hub, std::move(*query),
      [&](const wire::RowT& row) {
        if (options.json) {
          surroundings.out << timeline_json(row) << '\n';
        } else if (options.csv) {
          surroundings.out << timeline_csv(row) << '\n';
        } else {
          print_row(surroundings.out, row, options.fields);
        }
      },
      [&](const std::string& text) { surroundings.err << text << '\n'; });
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  if (*rows == 0)
    return complain(surroundings, ExitCode::not_found, "nothing that this role may see is recorded of it");
  return ExitCode::ok;
}

ExitCode status(const StatusOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto hub = connect(*config, "carehub status", {});
  if (!hub) return complain(surroundings, hub.error());
  std::vector<std::vector<std::string>> counts;
  std::vector<std::vector<std::string>> subscriptions;
  for (const auto kind : {wire::QueryKind::status, wire::QueryKind::subscriptions}) {
    wire::QueryT query;
    query.kind = kind;
    query.by = "operator";
    query.reason = "status";
    const auto rows = each_row(**hub, query, [&](const wire::RowT& row) {
      if (options.json) {
        surroundings.out << status_json(row) << '\n';
      } else if (kind == wire::QueryKind::status) {
        counts.push_back({row.kind, std::to_string(row.pending), printable(row.text)});
      } else {
        subscriptions.push_back(
            {row.subscription, row.agency, row.role, std::to_string(row.pending), printable(row.text)});
      }
    });
    if (!rows) return complain(surroundings, rows.error());
  }
  print_table(surroundings.out, {config->name, "", ""}, counts);
  if (!subscriptions.empty()) surroundings.out << '\n';
  print_table(surroundings.out, {"subscription", "agency", "role", "waiting", ""}, subscriptions);
  surroundings.out << std::flush;
  return ExitCode::ok;
}

}  // namespace carehub::app
