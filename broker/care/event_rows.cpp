#include "broker/care/event_rows.hpp"

#include <algorithm>

#include "broker/care/deliveries_fold.hpp"
#include "broker/core/disclosure.hpp"

namespace carehub::care {

std::size_t rows_wanted(const wire::QueryT& query) {
  const std::size_t asked = query.rows_max == 0 ? limits::kQueryRowsMax : query.rows_max;
  return std::min(asked, limits::kQueryRowsMax);
}

bool fits(const wire::QueryT& query, const PastEvent& past) {
  if (!query.types.empty() && std::ranges::find(query.types, past.event->type()) == query.types.end())
    return false;
  if (!query.channel.empty() && past.channel != query.channel) return false;
  if (query.last_at != 0 && past.appended_at.us > query.last_at) return false;
  return past.appended_at.us >= query.first_at;
}

namespace {

/// An agency's question is no way to find out what its role is not shown.
bool shows_what_was_asked(const wire::QueryT& query, const event::Event* seen) {
  const auto is = [](const flatbuffers::String* shown, const std::string& wanted) {
    return shown != nullptr && shown->string_view() == wanted;
  };
  if (!query.channel.empty() && (seen == nullptr || seen->source_channel() == nullptr)) return false;
  if (!query.person.empty()) return true;  // then an agency is in whose name an operator looks
  if (!query.journey.empty() && (seen == nullptr || !is(seen->journey(), query.journey))) return false;
  return query.agency.empty() || (seen != nullptr && is(seen->source_agency(), query.agency));
}

}  // namespace

Result<std::unique_ptr<wire::RowT>> event_row(const PastReader& past, const PastEvent& shown_event,
                                              const std::vector<core::Subscription>& visible,
                                              const core::Ask& ask) {
  const auto& role = ask.query.role;
  // What was mended for one subscription is nobody's but its agency's, and operators'.
  if (!shown_event.mended_for.empty() && !ask.peer.is_operator &&
      std::ranges::find(visible, shown_event.mended_for, &core::Subscription::name) == visible.end()) {
    return std::unique_ptr<wire::RowT>();
  }
  // An operator looks at a child in an agency's name, or in none's.
  const auto& query = ask.query;
  const bool in_its_name = ask.peer.is_operator && !query.person.empty();
  const auto& agency = past.agency_of(in_its_name ? query.agency : ask.peer.agency);
  const auto known = past.known_child(shown_event, ask.at);
  if (!known) return tl::unexpected(known.error());
  const auto* rule = past.policy().rule_for(role, agency, *shown_event.event, *known, ask.at);
  if (rule == nullptr) return std::unique_ptr<wire::RowT>();
  auto row = std::make_unique<wire::RowT>();
  if (shown_event.mends != 0) {
    row->text = "stands in for entry " + std::to_string(shown_event.mends);
    row->subscription = shown_event.mended_for;
  }
  auto view = past.view(shown_event, *rule, *known);
  if (view) {
    row->view = std::move(*view);
  } else if (view.error().kind == ErrorKind::invalid) {
    // One view that is too large hides no other.
    row->text += (row->text.empty() ? "" : "; ") + view.error().text;
  } else {
    return tl::unexpected(view.error());
  }
  row->sequence = shown_event.sequence;
  row->appended_at = shown_event.appended_at.us;
  const auto* seen = row->view.empty() ? nullptr : verified_event(row->view);
  if (!ask.peer.is_operator && !shows_what_was_asked(query, seen)) return std::unique_ptr<wire::RowT>();
  if (seen != nullptr && seen->occurred_at() != nullptr) row->occurred_at = seen->occurred_at()->utc_us();
  row->kind = "event";
  row->type = shown_event.event->type();
  if (seen != nullptr && seen->source_agency() != nullptr) row->agency = seen->source_agency()->str();
  row->role = role;
  row->legal_basis = rule->legal_basis;
  row->marks = shown_event.marks;
  return row;
}

namespace {

Result<Filing> filing_of(EntryFinder& finder, std::string_view subscription, Sequence event,
                         const ShownRow& shown) {
  using storage::EntryKind;
  Filing filing;
  auto decided = finder.find(EntryKind::offered, subscription, event, shown.offered_at);
  if (!decided) return tl::unexpected(decided.error());
  filing.decided_in = *decided;
  const bool acked = shown.state == ShownState::acked;
  if (!acked && shown.state != ShownState::dead) return filing;
  auto settled =
      finder.find(acked ? EntryKind::acked : EntryKind::dead_letter, subscription, event, shown.settled_at);
  if (!settled) return tl::unexpected(settled.error());
  (acked ? filing.acknowledged_in : filing.given_up_in) = *settled;
  return filing;
}

}  // namespace

Result<std::vector<std::unique_ptr<wire::RowT>>> shown_rows(const PastReader& past,
                                                            const PastEvent& shown_event,
                                                            const std::vector<core::Subscription>& visible,
                                                            bool all, std::size_t record,
                                                            EntryFinder* finder) {
  std::vector<std::unique_ptr<wire::RowT>> rows;
  auto found = shown_to(past.store(), shown_event.sequence);
  if (!found) return tl::unexpected(found.error());
  for (const auto& [name, shown] : *found) {
    const auto subscription = std::ranges::find(visible, name, &core::Subscription::name);
    if (subscription == visible.end() && !all) continue;
    auto row = std::make_unique<wire::RowT>();
    row->sequence = shown_event.sequence;
    row->kind = shown.state == ShownState::acked     ? "acked"
                : shown.state == ShownState::dead    ? "dead_letter"
                : shown.state == ShownState::skipped ? "skipped"
                                                     : "offered";
    row->appended_at = shown.state == ShownState::offered ? shown.offered_at.us : shown.settled_at.us;
    row->type = shown_event.event->type();
    row->subscription = name;
    if (subscription != visible.end()) {
      row->agency = subscription->agency;
      row->role = subscription->role;
    }
    row->attempts = shown.attempt;
    auto filing =
        finder == nullptr ? Result<Filing>(Filing()) : filing_of(*finder, name, shown_event.sequence, shown);
    if (!filing) return tl::unexpected(filing.error());
    filing->record = record;
    row->state = to_text(*filing);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace carehub::care
