#include "broker/care/history.hpp"

#include <algorithm>
#include <utility>

#include "broker/care/as_of.hpp"
#include "broker/care/deliveries_fold.hpp"
#include "broker/care/event_rows.hpp"
#include "broker/care/explained.hpp"
#include "broker/care/past_reader.hpp"
#include "broker/care/policy_diff.hpp"
#include "broker/care/replay_answers.hpp"
#include "broker/care/report.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/care/timeline.hpp"
#include "broker/care/trail.hpp"
#include "broker/core/disclosure.hpp"

namespace carehub::care {
namespace {

wire::PageT failed(const Error& error) {
  wire::PageT page;
  page.error = static_cast<wire::ErrorKind>(error.kind);
  page.text = error.text;
  return page;
}

/// How far a replay into a subscription is.
std::string replay_text(const core::ReplayInto& replay, const core::Course& course,
                        const core::ReplayCounts& counts) {
  const auto next = course.moving() ? course.next : replay.last + 1;
  return "a replay of entries " + std::to_string(replay.first) + " to " + std::to_string(replay.last) +
         ", looked at up to " + std::to_string(next - 1) + ": offered " + std::to_string(counts.offered) +
         ", taken " + std::to_string(counts.taken) + ", withheld " + std::to_string(counts.withheld);
}

}  // namespace

struct History::Impl {
  using AnyPage = Result<wire::PageT>;
  using RowPtr = std::unique_ptr<wire::RowT>;

  PastReader past;

  AnyPage scan(const core::Ask& ask) const;
  AnyPage dead_letters(const core::Ask& ask) const;
  AnyPage subscriptions(const core::Ask& ask) const;
  AnyPage status() const;
  AnyPage policy() const;
};

History::History(const State&, const storage::Ledger& ledger, const storage::Sealer& sealer,
                 const storage::StateStore& store, const storage::Vault& vault,
                 std::vector<core::Agency> agencies)
    : impl_(std::make_unique<Impl>(Impl{PastReader(ledger, sealer, store, vault, std::move(agencies))})) {}
History::~History() = default;

void History::use_policy(core::Policy policy) { impl_->past.use_policy(std::move(policy)); }

std::unique_ptr<PastSearch> History::search(const core::Ask& ask) const {
  const bool of_person = !ask.query.person.empty();
  if (ask.query.kind == wire::QueryKind::timeline && of_person)
    return std::make_unique<Timeline>(impl_->past, ask);
  if (ask.query.kind == wire::QueryKind::as_of) return std::make_unique<AsOf>(impl_->past, ask.query);
  if (ask.query.kind == wire::QueryKind::trail) return std::make_unique<Trail>(impl_->past, ask.query);
  if (ask.query.kind == wire::QueryKind::report) return std::make_unique<Report>(impl_->past, ask.query);
  if (ask.query.kind == wire::QueryKind::policy_diff)
    return std::make_unique<PolicyDiff>(impl_->past, ask.query, ask.at);
  return nullptr;
}

wire::PageT History::page_of(PastSearch& search, const Result<bool>& done, const core::Ask& ask) {
  auto page = done ? search.take() : failed(done.error());
  page.number = ask.query.number;
  return page;
}

wire::PageT History::answer(const core::Ask& ask) const {
  const auto& query = ask.query;
  if (const auto searching = search(ask)) {
    Result<bool> done = false;
    while (done && !*done) done = searching->advance();
    return page_of(*searching, done, ask);
  }
  const auto page = [&]() -> Impl::AnyPage {
    switch (query.kind) {
      case wire::QueryKind::timeline: return impl_->scan(ask);
      case wire::QueryKind::dead_letters: return impl_->dead_letters(ask);
      case wire::QueryKind::subscriptions: return impl_->subscriptions(ask);
      case wire::QueryKind::status: return impl_->status();
      case wire::QueryKind::policy: return impl_->policy();
      case wire::QueryKind::explain: return explained(impl_->past, query, ask.at);
      default: return fail(ErrorKind::invalid, "this hub does not know the kind of question");
    }
  }();
  auto answered = page ? wire::PageT(*page) : failed(page.error());
  answered.number = query.number;
  return answered;
}

History::Impl::AnyPage History::Impl::scan(const core::Ask& ask) const {
  const auto& query = ask.query;
  if (query.journey.empty() && query.agency.empty()) {
    return fail(ErrorKind::invalid, "a timeline is asked for by person, journey or agency");
  }
  wire::PageT page;
  auto subscribed = past.visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  Sequence first = query.after + 1;
  if (query.first_at != 0) {
    auto since = past.first_since({query.first_at});
    if (!since) return tl::unexpected(since.error());
    first = std::max(first, *since);
  }
  auto entries = past.ledger().read(first, kScanEntries, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  std::size_t bytes = 0;
  for (const auto& sealed : *entries) {
    if (page.rows.size() >= rows_wanted(query)) break;
    if (query.last_at != 0 && sealed.header.appended_at.us > query.last_at) return page;
    const auto before = std::exchange(page.next_after, sealed.header.sequence);
    auto event = past.open(sealed);
    if (!event) return tl::unexpected(event.error());
    if (!*event) {
      const bool erased = sealed.header.kind == storage::EntryKind::event;
      if (erased && ask.peer.is_operator) page.rows.push_back(erased_row(sealed.header));
      continue;
    }
    if (!fits(query, **event)) continue;
    if (!query.journey.empty() && (*event)->journey != query.journey) continue;
    if (!query.agency.empty() && (*event)->agency != query.agency) continue;
    auto row = event_row(past, **event, *subscribed, ask);
    if (!row) return tl::unexpected(row.error());
    if (!*row) continue;
    bytes += (*row)->view.size();
    if (bytes > kPageBytes && !page.rows.empty()) {
      page.next_after = before;
      break;
    }
    page.rows.push_back(std::move(*row));
  }
  page.more = page.next_after != 0 && page.next_after < past.ledger().head();
  return page;
}

History::Impl::AnyPage History::Impl::dead_letters(const core::Ask& ask) const {
  const auto& query = ask.query;
  auto subscribed = past.visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  if (!query.subscription.empty()) {
    std::erase_if(*subscribed, [&](const auto& one) { return one.name != query.subscription; });
    if (subscribed->empty()) return fail(ErrorKind::not_found, "no such subscription is the asker's");
  }
  const auto rows_max = rows_wanted(query);
  wire::PageT page;
  for (const auto& subscription : *subscribed) {
    auto found = past.store().scan(row_keys::dead_of(subscription.name),
                                   row_keys::dead(subscription.name, query.after + 1), rows_max + 1);
    if (!found) return tl::unexpected(found.error());
    for (const auto& stored : *found) {
      auto dead = decode_dead(row_keys::last_sequence(stored.key), stored.value);
      if (!dead) return tl::unexpected(dead.error());
      auto row = std::make_unique<wire::RowT>();
      row->sequence = dead->delivery.sequence;
      row->appended_at = dead->at.us;
      row->kind = "dead_letter";
      row->type = dead->delivery.type;
      row->agency = subscription.agency;
      row->role = subscription.role;
      row->subscription = subscription.name;
      row->attempts = dead->attempts;
      row->text = dead->code;
      page.rows.push_back(std::move(row));
    }
  }
  std::stable_sort(page.rows.begin(), page.rows.end(),
                   [](const RowPtr& left, const RowPtr& right) { return left->sequence < right->sequence; });
  if (page.rows.size() <= rows_max) return page;
  // A page ends between two events, so that the next one begins behind the last number shown.
  auto end = page.rows.begin() + static_cast<std::ptrdiff_t>(rows_max);
  while (end != page.rows.begin() && (*std::prev(end))->sequence == (*end)->sequence) --end;
  if (end == page.rows.begin()) {
    const auto first = page.rows.front()->sequence;
    end = std::find_if(page.rows.begin(), page.rows.end(),
                       [&](const RowPtr& row) { return row->sequence != first; });
  }
  page.more = end != page.rows.end();
  page.rows.erase(end, page.rows.end());
  page.next_after = page.rows.back()->sequence;
  return page;
}

History::Impl::AnyPage History::Impl::subscriptions(const core::Ask& ask) const {
  auto subscribed = past.visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  wire::PageT page;
  const auto rows = past.rows();
  for (const auto& subscription : *subscribed) {
    auto backlog = backlog_row(rows, subscription.name);
    if (!backlog) return tl::unexpected(backlog.error());
    auto oldest = stored_pending(rows, subscription.name, 0, 1);
    if (!oldest) return tl::unexpected(oldest.error());
    auto course = course_row(rows, subscription.name);
    if (!course) return tl::unexpected(course.error());
    auto row = std::make_unique<wire::RowT>();
    row->kind = "subscription";
    row->subscription = subscription.name;
    row->agency = subscription.agency;
    row->role = subscription.role;
    row->pending = backlog->pending;
    if (!oldest->empty()) {
      row->sequence = oldest->front().sequence;
      row->type = oldest->front().type;
      row->attempts = oldest->front().attempt;
      row->appended_at = oldest->front().offered_at.us;
    }
    row->dead_letters = backlog->dead;
    row->state = course->paused_since ? "paused" : course->moving() ? "on its way" : "active";
    if (course->paused_since) row->since = course->paused_since->us;
    row->text = std::string(subscription.configured ? "configured" : "by a client") + ", " +
                std::to_string(backlog->dead) + " dead letters";
    if (subscription.replay) {
      auto counts = replay_row(rows, subscription.name);
      if (!counts) return tl::unexpected(counts.error());
      row->text = replay_text(*subscription.replay, *course, *counts);
      if (row->state == "active") row->state = backlog->pending > 0 ? "on its way" : "done";
    }
    page.rows.push_back(std::move(row));
  }
  return page;
}

History::Impl::AnyPage History::Impl::status() const {
  auto all = subscription_rows(past.rows());
  if (!all) return tl::unexpected(all.error());
  BacklogRow total;
  for (const auto& subscription : *all) {
    auto backlog = backlog_row(past.rows(), subscription.name);
    if (!backlog) return tl::unexpected(backlog.error());
    total.pending += backlog->pending;
    total.dead += backlog->dead;
  }
  wire::PageT page;
  const auto add = [&](const char* kind, Sequence sequence, std::uint64_t count) {
    auto row = std::make_unique<wire::RowT>();
    row->kind = kind;
    row->sequence = sequence;
    row->pending = count;
    page.rows.push_back(std::move(row));
  };
  add("head", past.ledger().head(), past.ledger().head());
  add("applied", past.store().applied(), past.store().applied());
  add("subscriptions", 0, all->size());
  add("pending", 0, total.pending);
  add("dead_letters", 0, total.dead);
  return page;
}

/// The policy that decides now, whole, as its entry has it.
History::Impl::AnyPage History::Impl::policy() const {
  auto known = policy_rows(past.rows());
  if (!known) return tl::unexpected(known.error());
  const auto version = past.policy().version();
  const auto found = std::ranges::find(*known, version, &core::EngineState::KnownPolicy::version);
  if (found == known->end())
    return fail(ErrorKind::corrupt, "policy " + std::to_string(version) + " is not on record");
  wire::PageT page;
  auto row = std::make_unique<wire::RowT>();
  row->kind = "policy";
  row->sequence = version;
  row->policy_version = version;
  row->text = found->text;
  page.rows.push_back(std::move(row));
  return page;
}

ReplayPart History::replay(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                           const ReadAhead* ahead) const {
  return ReplayAnswers(impl_->past).answer(ask, from, deliveries_max, ahead);
}

ReadAhead History::read_ahead(Sequence from) const { return ReadAhead(impl_->past, from); }

}  // namespace carehub::care
