#include <ostream>

#include "broker/app/audit_questions.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/report_rows.hpp"

namespace carehub::app {
namespace {

constexpr std::uint64_t kPublishedBelow = 5;  // what statistics about children hide where they are published

/// What is other than when the report was first made, and why.
ExitCode tell_differences(const ReportTold& report, Surroundings& surroundings) {
  const auto differences = differences_of(report);
  const auto entry = "entry " + std::to_string(report.head.sequence);
  if (report.head.state != "again") return ExitCode::ok;
  if (differences.all == 0) {
    surroundings.err << "every figure is the same as in " << entry << '\n';
    return ExitCode::ok;
  }
  surroundings.err << differences.all << " figures are others than in " << entry << "; "
                   << report.head.dead_letters << " entries of erasures are on record since";
  for (std::size_t at = 0; at < report.erasures.size(); ++at)
    surroundings.err << (at == 0 ? ": " : ", ") << report.erasures[at];
  surroundings.err << '\n';
  if (differences.unexplained == 0) return ExitCode::ok;
  return complain(surroundings, ExitCode::corrupt,
                  std::to_string(differences.unexplained) +
                      " figures differ and no erasure explains it: keep this output, stop the hub, and run "
                      "`carehub audit verify` on its ledger");
}

}  // namespace

ExitCode audit_report(const ReportOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const auto quarter = core::parse_quarter(options.quarter);
  if (!quarter) return complain(surroundings, quarter.error());
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  wire::QueryT query;
  query.kind = wire::QueryKind::report;
  query.first_at = quarter->from().us;
  query.last_at = quarter->until().us - 1;
  query.size = options.definition;
  query.by = options.by;
  query.reason = options.reason;
  const auto page = ask(**hub, std::move(query));
  if (!page) return complain(surroundings, page.error());
  auto told = report_of(*page);
  if (!told) return complain(surroundings, told.error());
  const auto whole = *told;
  suppress(*told, options.suppress_below.value_or(options.rows.csv ? kPublishedBelow : 0));
  if (options.rows.json) {
    print_report_json(surroundings.out, *told);
  } else if (options.rows.csv) {
    print_report_csv(surroundings.out, *told);
  } else {
    print_report(surroundings.out, *told);
  }
  surroundings.out << std::flush;
  if (told->suppressed_below != 0) {
    surroundings.err
        << "counts below " << told->suppressed_below
        << " are hidden, with what would tell them within their group; look before it is published\n";
  }
  return tell_differences(whole, surroundings);
}

}  // namespace carehub::app
