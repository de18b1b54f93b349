#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"

/// timeline, status: questions about the record.
namespace carehub::app {
namespace {

/// Asks page after page and hands every row on. The last error, if any.
template <class Row>
Result<std::size_t> each_row(client::HubClient& hub, wire::QueryT query, Row row) {
  std::size_t rows = 0;
  query.rows_max = limits::kQueryRowsMax;
  for (;;) {
    auto page = ask(hub, query);
    if (!page) return tl::unexpected(page.error());
    for (const auto& each : page->rows) {
      row(*each);
      ++rows;
    }
    if (!page->more || page->next_after <= query.after) return rows;
    query.after = page->next_after;
  }
}

std::string type_text(event::EventType type) {
  return type == event::EventType::unknown ? std::string() : std::string(event_type_name(type));
}

std::string row_json(const wire::RowT& row) {
  JsonLine line;
  if (row.sequence != 0) line.add("sequence", row.sequence);
  if (row.appended_at != 0) line.add("appended_at", to_rfc3339(Timestamp{row.appended_at}));
  line.add("kind", row.kind);
  if (row.type != event::EventType::unknown) line.add("type", event_type_name(row.type));
  if (!row.agency.empty()) line.add("agency", row.agency);
  if (!row.subscription.empty()) line.add("subscription", row.subscription);
  if (!row.role.empty()) line.add("role", row.role);
  if (!row.text.empty()) line.add("text", row.text);
  if (row.attempts != 0) line.add("attempts", std::uint64_t{row.attempts});
  if (row.pending != 0) line.add("pending", row.pending);
  if (!row.legal_basis.empty()) line.add("legal_basis", row.legal_basis);
  if (!row.marks.empty()) {
    JsonList marks;
    for (const auto mark : row.marks) marks.add(ledger::EnumNameMark(mark));
    line.add_json("marks", marks.text());
  }
  add_event(line, row.view);
  return line.text();
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
  if (person->empty())
    return complain(surroundings, ExitCode::usage, "nobody is named: give --person or --person-file");
  auto agency = acting_agency(*config, options.role, options.agency);
  if (!agency) return complain(surroundings, agency.error());
  auto hub = connect(*config, "carehub timeline", {});
  if (!hub) return complain(surroundings, hub.error());

  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = *person;
  query.role = options.role;
  query.agency = *agency;
  query.by = options.by;
  query.reason = options.reason;
  const auto rows = each_row(**hub, query, [&](const wire::RowT& row) {
    if (options.json) {
      surroundings.out << row_json(row) << '\n';
      return;
    }
    surroundings.out << to_rfc3339(Timestamp{row.appended_at}) << "  #" << row.sequence << "  " << row.kind;
    for (const auto& word : {type_text(row.type), row.agency, row.subscription, row.role}) {
      if (!word.empty()) surroundings.out << "  " << word;
    }
    if (!row.text.empty()) surroundings.out << "  " << printable(row.text);
    if (!row.marks.empty()) surroundings.out << "  (" << marks_text(row.marks) << ")";
    surroundings.out << '\n';
    if (options.fields) print_fields(surroundings.out, row.view);
  });
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  if (*rows == 0)
    return complain(surroundings, ExitCode::not_found, "nothing is recorded for this identifier");
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
