#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/policy_questions.hpp"
#include "broker/app/table.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {
namespace {

std::string json_of(const wire::RowT& row) {
  JsonLine line;
  line.add("kind", row.kind).add("agency", row.agency);
  if (row.kind == "agency") {
    line.add("sequence", row.sequence).add("type", event_type_name(row.type)).add("role", row.role);
    line.add("policy_version", row.policy_version).add("verdict", row.state);
  }
  if (row.kind == "field") line.add("path", row.path).add("verdict", row.state).add("why", row.reason);
  if (!row.rule.empty()) line.add("rule", row.rule).add("legal_basis", row.legal_basis);
  if (!row.agreement.empty()) line.add("agreement", row.agreement);
  if (row.kind == "rule") line.add("verdict", row.state).add("why", row.reason);
  return line.text();
}

std::string heading(const wire::RowT& row) {
  std::string text = "#" + std::to_string(row.sequence) + "  " + event_type_name(row.type) + "  as " +
                     (row.agency.empty() ? printable(row.text) : row.agency) + " in the role " + row.role;
  text += row.policy_version == 0 ? ", under the policy that was given"
                                  : ", under policy " + std::to_string(row.policy_version);
  if (row.rule.empty()) return text + ": nothing is shown";
  text += ": shown by `" + printable(row.rule) + "` (" + printable(row.legal_basis) + ")";
  if (!row.agreement.empty()) text += ", agreement " + printable(row.agreement);
  return text;
}

/// Gathers the rows of one agency, so that they are columns.
class Tables {
 public:
  explicit Tables(std::ostream& out) : out_(out) {}

  void take(const wire::RowT& row) {
    if (row.kind == "agency") {
      end();
      out_ << heading(row) << '\n';
    } else if (row.kind == "rule") {
      rules_.push_back({printable(row.rule), printable(row.legal_basis), printable(row.reason)});
    } else {
      fields_.push_back({printable(row.path), row.state, printable(row.reason)});
    }
  }
  void end() {
    print_table(out_, {"rule of the role", "legal basis", "why"}, rules_);
    print_table(out_, {"field", "what becomes of it", "why"}, fields_);
    rules_.clear();
    fields_.clear();
  }

 private:
  std::ostream& out_;
  std::vector<std::vector<std::string>> rules_;
  std::vector<std::vector<std::string>> fields_;
};

}  // namespace

ExitCode policy_explain(const PolicyExplainOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  wire::QueryT query;
  query.kind = wire::QueryKind::explain;
  query.role = options.role;
  query.sequence = options.event;
  query.agency = options.agency;
  query.by = options.by;
  query.reason = options.reason;
  if (!options.policy.empty()) {
    auto text = sound_policy(options.policy, surroundings);
    if (!text) return ExitCode::wrong_input;
    query.policy = *std::move(text);
  }
  auto hub = connect(*config, "carehub policy", {});
  if (!hub) return complain(surroundings, hub.error());
  Tables tables(surroundings.out);
  const auto rows = each_row(**hub, query, [&](const wire::RowT& row) {
    if (options.json) {
      surroundings.out << json_of(row) << '\n';
    } else {
      tables.take(row);
    }
  });
  tables.end();
  surroundings.out << std::flush;
  if (!rows) return complain(surroundings, rows.error());
  return ExitCode::ok;
}

}  // namespace carehub::app
