#include "broker/core/reports.hpp"

#include "broker/core/courses.hpp"
#include "broker/core/report_figures.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {

std::optional<std::string> Reports::fault(const wire::Query& query) {
  const auto quarter = quarter_of({query.first_at()});
  const auto last_at = query.last_at();
  if (query.first_at() < 0 || quarter.from().us != query.first_at() ||
      (last_at != 0 && last_at != quarter.until().us - 1))
    return "a report is of one whole quarter of UTC";
  if (report_definition(query.size()) == nullptr)
    return "there is no definition " + std::to_string(query.size()) + " of the figures";
  return std::nullopt;
}

std::string Reports::name(const wire::Query& query) {
  return report_name(quarter_of({query.first_at()}), query.size());
}

Result<void> Reports::end(const Ask& ask, wire::PageT page, Timestamp now, Decision& out) {
  const auto answer = [&](const wire::PageT& said) {
    out.sends.push_back({ask.peer.connection, page_frame(said)});
    return Result<void>();
  };
  if (page.rows.empty() || page.rows.front()->state != "first") return answer(page);
  auto& head = *page.rows.front();
  if (made_.contains(head.text)) {
    out.sends.push_back(
        {ask.peer.connection, refused_page(page.number, ErrorKind::overloaded,
                                           "just now somebody else made this report: ask again to compare")});
    return {};
  }
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  std::vector<Figure> figures;
  for (const auto& row : page.rows) {
    if (row->kind == "figure") figures.push_back({row->state, row->text, row->agency, row->pending});
  }
  ledger::ReportT report;
  report.name = head.text;
  report.from_at = head.since;
  report.until_at = head.occurred_at;
  report.through = head.pending;
  report.figures = figures_text(std::move(figures));
  report.by = asker(ask.peer, ask.query.by);
  report.reason = ask.query.reason;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Report::Pack(builder, &report));
  head.sequence = context_.journal.append({storage::EntryKind::report, *key, std::move(body)}, now);
  head.appended_at = now.us;
  head.by = report.by;
  head.reason = report.reason;
  made_.insert(head.text);
  return answer(page);
}

}  // namespace carehub::core
