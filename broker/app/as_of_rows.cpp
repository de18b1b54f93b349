#include "broker/app/as_of_rows.hpp"

#include "broker/app/csv_line.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/timeline_rows.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/care/filing.hpp"

namespace carehub::app {
namespace {

std::string view_json(const wire::RowT& row) {
  const auto* event = row.view.empty() ? nullptr : verified_event(row.view);
  return event == nullptr ? std::string() : event_to_json(*event);
}

}  // namespace

bool is_erased(const wire::RowT& row) { return row.kind == "erased"; }

std::string as_of_json(const wire::RowT& row) {
  const bool withheld = row.kind == "withheld";
  const auto filing = care::filing_from(row.state);
  JsonLine line;
  if (is_erased(row)) {
    line.add("sequence", row.sequence).add("kind", row.kind).add("written_at", time_text(row.appended_at));
    return line.add("text", row.text).text();
  }
  line.add("sequence", row.sequence).add("type", event_type_name(row.type));
  add_number(line, "record", filing.record);
  if (!row.agency.empty()) line.add("agency", row.agency);
  line.add("subscription", row.subscription).add("role", row.role).add("kind", row.kind);
  line.add(withheld ? "withheld_at" : "offered_at", time_text(row.appended_at));
  add_number(line, "decided_in", filing.decided_in);
  if (row.since != 0) line.add("acknowledged_at", time_text(row.since));
  add_number(line, "acknowledged_in", filing.acknowledged_in);
  add_number(line, "given_up_in", filing.given_up_in);
  if (!withheld) line.add("attempts", std::uint64_t{row.attempts});
  line.add("policy_version", row.policy_version).add("rule", row.rule);
  if (!row.legal_basis.empty()) line.add("legal_basis", row.legal_basis);
  if (!row.text.empty()) line.add("text", row.text);
  add_event(line, row.view);
  return line.text();
}

std::string as_of_csv_header() {
  CsvLine line;
  for (const auto* name : {"sequence", "type", "agency", "subscription", "role", "kind", "decided_at",
                           "decided_in", "acknowledged_at", "acknowledged_in", "given_up_in", "attempts",
                           "policy_version", "rule", "legal_basis", "record", "text", "event"}) {
    line.add(name);
  }
  return line.text();
}

std::string as_of_csv(const wire::RowT& row) {
  const auto filing = care::filing_from(row.state);
  CsvLine line;
  line.add(row.sequence).add(event_type_name(row.type)).add(row.agency).add(row.subscription).add(row.role);
  line.add(row.kind).add(is_erased(row) ? std::string() : time_text(row.appended_at));
  line.add(number_text(filing.decided_in));
  line.add(time_text(row.since)).add(number_text(filing.acknowledged_in));
  line.add(number_text(filing.given_up_in));
  line.add(is_erased(row) ? std::string() : std::to_string(row.attempts));
  line.add(is_erased(row) ? std::string() : std::to_string(row.policy_version));
  line.add(row.rule).add(row.legal_basis).add(number_text(filing.record)).add(row.text).add(view_json(row));
  return line.text();
}

void AsOfViews::fill(wire::RowT& row) {
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

}  // namespace carehub::app
