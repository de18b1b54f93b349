#include "broker/app/timeline_rows.hpp"

#include "broker/app/csv_line.hpp"
#include "broker/app/show_event.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/care/filing.hpp"

namespace carehub::app {

std::string type_text(event::EventType type) {
  return type == event::EventType::unknown ? std::string() : std::string(event_type_name(type));
}

std::string time_text(std::int64_t at_us) {
  return at_us == 0 ? std::string() : to_rfc3339(Timestamp{at_us});
}

void add_number(JsonLine& line, const char* name, std::uint64_t number) {
  if (number != 0) line.add(name, number);
}

std::string number_text(std::uint64_t number) { return number == 0 ? std::string() : std::to_string(number); }

std::string timeline_json(const wire::RowT& row) {
  JsonLine line;
  if (row.sequence != 0) line.add("sequence", row.sequence);
  if (row.occurred_at != 0) line.add("occurred_at", to_rfc3339(Timestamp{row.occurred_at}));
  if (row.appended_at != 0) line.add("appended_at", to_rfc3339(Timestamp{row.appended_at}));
  line.add("kind", row.kind);
  if (row.type != event::EventType::unknown) line.add("type", event_type_name(row.type));
  if (!row.agency.empty()) line.add("agency", row.agency);
  if (!row.subscription.empty()) line.add("subscription", row.subscription);
  if (!row.role.empty()) line.add("role", row.role);
  const auto filing = care::filing_from(row.state);
  add_number(line, "record", filing.record);
  add_number(line, "decided_in", filing.decided_in);
  add_number(line, "acknowledged_in", filing.acknowledged_in);
  add_number(line, "given_up_in", filing.given_up_in);
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

std::string timeline_csv_header() {
  CsvLine line;
  for (const auto* name : {"sequence", "occurred_at", "appended_at", "kind", "type", "agency", "subscription",
                           "role", "legal_basis", "attempts", "marks", "record", "decided_in",
                           "acknowledged_in", "given_up_in", "text", "event"}) {
    line.add(name);
  }
  return line.text();
}

std::string timeline_csv(const wire::RowT& row) {
  const auto* seen = row.view.empty() ? nullptr : verified_event(row.view);
  CsvLine line;
  line.add(row.sequence).add(time_text(row.occurred_at)).add(time_text(row.appended_at)).add(row.kind);
  line.add(type_text(row.type)).add(row.agency).add(row.subscription).add(row.role).add(row.legal_basis);
  line.add(std::uint64_t{row.attempts}).add(marks_text(row.marks));
  const auto filing = care::filing_from(row.state);
  line.add(number_text(filing.record)).add(number_text(filing.decided_in));
  line.add(number_text(filing.acknowledged_in)).add(number_text(filing.given_up_in)).add(row.text);
  line.add(seen == nullptr ? std::string() : event_to_json(*seen));
  return line.text();
}

}  // namespace carehub::app
