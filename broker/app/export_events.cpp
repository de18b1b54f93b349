#include "broker/app/export_events.hpp"

#include <ostream>

#include "broker/app/moment.hpp"
#include "broker/app/replay_queue.hpp"
#include "broker/app/table.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::app {
namespace {

constexpr std::chrono::milliseconds kTurn{200};
constexpr int kSilentTurnsMax = 300;

wire::RowT row_of(const wire::DeliveryT& delivery, const std::string& role) {
  wire::RowT row;
  row.sequence = delivery.sequence;
  row.appended_at = delivery.appended_at;
  row.kind = "event";
  row.type = delivery.type;
  row.role = role;
  row.legal_basis = delivery.legal_basis;
  row.marks = delivery.marks;
  row.view = delivery.view;
  const auto* seen = row.view.empty() ? nullptr : verified_event(row.view);
  if (seen != nullptr && seen->occurred_at() != nullptr) row.occurred_at = seen->occurred_at()->utc_us();
  return row;
}

}  // namespace

Result<ExportSpan> read_span(const std::string& from, const std::string& to) {
  ExportSpan span;
  if (const auto number = storage::verify::from_decimal(from); number && *number > 0) {
    span.first = *number;
  } else if (!from.empty()) {
    auto since = moment(from, "--from is an entry's number, or", false);
    if (!since) return tl::unexpected(since.error());
    span.first_at = *since;
  }
  if (const auto number = storage::verify::from_decimal(to); number && *number > 0) {
    span.last = *number;
  } else if (!to.empty()) {
    auto until = moment(to, "--to is an entry's number, or", true);
    if (!until) return tl::unexpected(until.error());
    span.last_at = *until;
  }
  if (span.first > span.last || (span.last_at != 0 && span.first_at > span.last_at))
    return fail(ErrorKind::invalid, "the span ends before it begins");
  return span;
}

Result<void> person_events(client::HubClient& hub, wire::QueryT question, const std::string& person,
                           const ExportSpan& span, const TakeRow& take,
                           const std::function<void(const std::string&)>& remark) {
  question.kind = wire::QueryKind::timeline;
  question.person = person;
  question.first_at = span.first_at;
  question.last_at = span.last_at;
  Result<void> taken;
  const auto rows = each_row(
      hub, std::move(question),
      [&](const wire::RowT& row) {
        if (taken && span.holds(row.sequence)) taken = take(row);
      },
      remark);
  if (!rows) return tl::unexpected(rows.error());
  return taken;
}

Result<std::uint64_t> span_events(client::HubClient& hub, const wire::QueryT& question,
                                  const ExportSpan& span, Surroundings& surroundings, const TakeRow& take) {
  wire::ReplayT replay;
  replay.role = question.role;
  replay.by = question.by;
  replay.reason = question.reason;
  replay.first = span.first;
  replay.last = span.last;
  replay.filter = std::make_unique<ledger::FilterT>();
  const auto queue = std::make_shared<ReplayQueue>();
  auto asked =
      hub.ask(std::move(replay), [queue](Result<client::Reply> reply) { queue->push(std::move(reply)); });
  if (!asked) return tl::unexpected(asked.error());
  std::uint64_t withheld = 0;
  for (int silent = 0; silent < kSilentTurnsMax;) {
    if (surroundings.stopped_within(std::chrono::milliseconds(0)))
      return fail(ErrorKind::unavailable, "stopped before the end");
    const auto reply = queue->pop(kTurn);
    if (!reply) {
      ++silent;
      continue;
    }
    silent = 0;
    if (!*reply) return tl::unexpected((*reply).error());
    const auto* frame = std::get_if<wire::ReplayedT>(&**reply);
    if (frame == nullptr)
      return fail(ErrorKind::invalid, "the hub answered with another frame than Replayed");
    if (frame->error != wire::ErrorKind::unknown) return fail(error_kind(frame->error), frame->text);
    if (!frame->text.empty()) surroundings.err << "left out: " << printable(frame->text) << std::endl;
    for (const auto& delivery : frame->deliveries) {
      if (auto taken = take(row_of(*delivery, question.role)); !taken) return tl::unexpected(taken.error());
    }
    withheld += frame->withheld;
    if (frame->last) return withheld;
  }
  return fail(ErrorKind::unavailable, "the hub stopped answering");
}

}  // namespace carehub::app
