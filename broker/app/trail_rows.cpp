#include "broker/app/trail_rows.hpp"

#include "broker/app/csv_line.hpp"
#include "broker/app/json_line.hpp"
#include "broker/base/clock.hpp"

namespace carehub::app {

std::string trail_json(const wire::RowT& row) {
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

std::string trail_csv_header() {
  CsvLine line;
  for (const auto* name :
       {"sequence", "appended_at", "kind", "act", "by", "agency", "role", "subscription", "text", "reason"}) {
    line.add(name);
  }
  return line.text();
}

std::string trail_csv(const wire::RowT& row) {
  CsvLine line;
  line.add(row.sequence).add(to_rfc3339(Timestamp{row.appended_at})).add(row.kind).add(row.state);
  line.add(row.by).add(row.agency).add(row.role).add(row.subscription).add(row.text).add(row.reason);
  return line.text();
}

}  // namespace carehub::app
