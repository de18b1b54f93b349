#include "broker/care/history.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "broker/base/assert.hpp"
#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/deliveries_fold.hpp"
#include "broker/care/past_event.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/replay_preview.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/route.hpp"

// Long because: every answer about the past reads the same rows and shows an event in the same way.

namespace carehub::care {
namespace {

constexpr std::size_t kScanEntries = 512;  // looked at for one page or part: the hub waits meanwhile
constexpr std::size_t kScanBytes = 4U << 20U;
constexpr std::size_t kPageBytes = limits::kDeliverBytesMax;  // of views on one page or part
constexpr std::string_view kBySequence = "sequence:";

wire::PageT failed(const Error& error) {
  wire::PageT page;
  page.error = static_cast<wire::ErrorKind>(error.kind);
  page.text = error.text;
  return page;
}

std::size_t rows_wanted(const wire::QueryT& query) {
  const std::size_t asked = query.rows_max == 0 ? limits::kQueryRowsMax : query.rows_max;
  return std::min(asked, limits::kQueryRowsMax);
}

std::optional<Sequence> number_of(std::string_view text) {
  Sequence number = 0;
  if (text.empty() || text.size() > 18) return std::nullopt;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<Sequence>(digit - '0');
  }
  return number;
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
  Impl(const storage::Ledger& ledger_in, const storage::Sealer& sealer_in,
       const storage::StateStore& store_in, const storage::Vault& vault_in,
       std::vector<core::Agency> agencies_in)
      : ledger(ledger_in), sealer(sealer_in), store(store_in), vault(vault_in) {
    for (auto& agency : agencies_in) {
      auto id = agency.id;
      agencies.emplace(std::move(id), std::move(agency));
    }
  }

  using AnyPage = Result<wire::PageT>;
  using RowPtr = std::unique_ptr<wire::RowT>;
  using DeliveryPtr = std::unique_ptr<wire::DeliveryT>;

  const storage::Ledger& ledger;
  const storage::Sealer& sealer;
  const storage::StateStore& store;
  const storage::Vault& vault;
  std::unordered_map<std::string, core::Agency> agencies;
  std::optional<core::Policy> policy;

  AnyPage timeline(const core::Ask& ask) const;
  AnyPage scan(const core::Ask& ask) const;
  AnyPage dead_letters(const core::Ask& ask) const;
  AnyPage subscriptions(const core::Ask& ask) const;
  AnyPage status() const;

  const core::Agency& agency_of(const std::string& id) const;
  Result<std::vector<core::Subscription>> visible(const core::Peer& peer) const;
  Result<std::optional<PastEvent>> past(Sequence sequence) const;
  Result<PersonKey> person_of(const std::string& identifier) const;
  Result<RowPtr> row_of(const PastEvent& past, const core::Peer& peer, const std::string& role) const;
  Result<std::vector<RowPtr>> shown_rows(const PastEvent& past,
                                         const std::vector<core::Subscription>& visible, bool all) const;
  template <class Take>
  Result<void> each_of_part(const core::AskReplay& ask, Sequence from, std::size_t entries_max,
                            ReplayPart& part, Take take) const;
  Result<void> replay_some(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                           ReplayPart& part) const;
  Result<void> preview_some(const core::AskReplay& ask, Sequence from, ReplayPart& part) const;
  Result<DeliveryPtr> replay_one(const core::AskReplay& ask, const PastEvent& past,
                                 wire::ReplayedT& frame) const;
};

History::History(const State&, const storage::Ledger& ledger, const storage::Sealer& sealer,
                 const storage::StateStore& store, const storage::Vault& vault,
                 std::vector<core::Agency> agencies)
    : impl_(std::make_unique<Impl>(ledger, sealer, store, vault, std::move(agencies))) {}
History::~History() = default;

void History::use_policy(core::Policy policy) { impl_->policy = std::move(policy); }

wire::PageT History::answer(const core::Ask& ask) const {
  CAREHUB_ASSERT(impl_->policy.has_value(), "use_policy() comes before the first question");
  const auto& query = ask.query;
  const auto page = [&]() -> Impl::AnyPage {
    switch (query.kind) {
      case wire::QueryKind::timeline: return query.person.empty() ? impl_->scan(ask) : impl_->timeline(ask);
      case wire::QueryKind::dead_letters: return impl_->dead_letters(ask);
      case wire::QueryKind::subscriptions: return impl_->subscriptions(ask);
      case wire::QueryKind::status: return impl_->status();
      default: return fail(ErrorKind::invalid, "this hub does not know the kind of question");
    }
  }();
  auto answered = page ? wire::PageT(*page) : failed(page.error());
  answered.number = query.number;
  return answered;
}

const core::Agency& History::Impl::agency_of(const std::string& id) const {
  static const core::Agency without_codes;
  const auto found = agencies.find(id);
  return found == agencies.end() ? without_codes : found->second;
}

Result<std::vector<core::Subscription>> History::Impl::visible(const core::Peer& peer) const {
  auto all = subscription_rows(StoredRows(store));
  if (!all || peer.is_operator) return all;
  std::erase_if(*all, [&](const auto& one) { return one.agency != peer.agency; });
  return all;
}

Result<std::optional<PastEvent>> History::Impl::past(Sequence sequence) const {
  auto entries = ledger.read(sequence, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) return std::optional<PastEvent>();
  return open_event(entries->front(), sealer);
}

Result<PersonKey> History::Impl::person_of(const std::string& identifier) const {
  const auto nobody = fail(ErrorKind::not_found, "the hub knows nobody by this identifier");
  if (std::string_view(identifier).starts_with(kBySequence)) {
    const auto sequence = number_of(std::string_view(identifier).substr(kBySequence.size()));
    if (!sequence || *sequence == 0)
      return fail(ErrorKind::invalid, "sequence: is followed by an entry's number");
    auto event = past(*sequence);
    if (!event) return tl::unexpected(event.error());
    if (!*event) return nobody;
    return (*event)->person;
  }
  auto canonical = core::canonical_identifier(identifier);
  if (!canonical) return tl::unexpected(canonical.error());
  auto linked = person_linked(StoredRows(store), core::identifier_hash(vault.index_key(), *canonical));
  if (!linked) return tl::unexpected(linked.error());
  if (!*linked) return nobody;
  return **linked;
}

Result<History::Impl::RowPtr> History::Impl::row_of(const PastEvent& past, const core::Peer& peer,
                                                    const std::string& role) const {
  const auto* rule = policy->rule_for(role, agency_of(peer.agency), *past.event);
  if (rule == nullptr) return RowPtr();
  auto row = std::make_unique<wire::RowT>();
  auto view = core::deliverable(*past.event, *rule, past.sequence);
  if (view) {
    row->view = std::move(*view);
  } else if (view.error().kind == ErrorKind::invalid) {
    row->text = view.error().text;  // one view that is too large hides no other
  } else {
    return tl::unexpected(view.error());
  }
  row->sequence = past.sequence;
  row->appended_at = past.appended_at.us;
  row->kind = "event";
  row->type = past.event->type();
  row->agency = past.agency;
  row->role = role;
  row->legal_basis = rule->legal_basis;
  row->marks = past.marks;
  return row;
}

Result<std::vector<History::Impl::RowPtr>> History::Impl::shown_rows(
    const PastEvent& past, const std::vector<core::Subscription>& visible, bool all) const {
  std::vector<RowPtr> rows;
  auto found = store.scan(row_keys::shown_of(past.sequence), {}, limits::kSubscriptionsMax);
  if (!found) return tl::unexpected(found.error());
  for (const auto& stored : *found) {
    const auto name = row_keys::shown_name(stored.key);
    const auto subscription =
        std::find_if(visible.begin(), visible.end(), [&](const auto& one) { return one.name == name; });
    if (subscription == visible.end() && !all) continue;
    auto shown = decode_shown(stored.value);
    if (!shown) return tl::unexpected(shown.error());
    auto row = std::make_unique<wire::RowT>();
    row->sequence = past.sequence;
    row->kind = shown->state == ShownState::acked     ? "acked"
                : shown->state == ShownState::dead    ? "dead_letter"
                : shown->state == ShownState::skipped ? "skipped"
                                                      : "offered";
    row->appended_at = shown->state == ShownState::offered ? shown->offered_at.us : shown->settled_at.us;
    row->type = past.event->type();
    row->subscription = name;
    if (subscription != visible.end()) {
      row->agency = subscription->agency;
      row->role = subscription->role;
    }
    row->attempts = shown->attempt;
    rows.push_back(std::move(row));
  }
  return rows;
}

History::Impl::AnyPage History::Impl::timeline(const core::Ask& ask) const {
  const auto& query = ask.query;
  auto person = person_of(query.person);
  if (!person) return tl::unexpected(person.error());
  auto record = person_record(StoredRows(store), *person);
  if (!record) return tl::unexpected(record.error());
  auto subscribed = visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  wire::PageT page;
  std::size_t bytes = 0;
  Sequence next = query.after != 0 ? query.after : (*record ? (*record)->last : 0);
  for (std::size_t looked = 0; next != 0; ++looked) {
    const auto goes_on = [&page](Sequence from) {
      page.more = true;
      page.next_after = from;
    };
    if (page.rows.size() >= rows_wanted(query) || looked == kScanEntries) {
      goes_on(next);
      return page;
    }
    auto event = past(next);
    if (!event) return tl::unexpected(event.error());
    if (!*event || (*event)->person != *person) {
      page.text = "what came before entry " + std::to_string(next) + " has been erased";
      return page;
    }
    next = (*event)->previous_of_person;
    auto row = row_of(**event, ask.peer, query.role);
    if (!row) return tl::unexpected(row.error());
    if (!*row) continue;
    bytes += (*row)->view.size();
    if (bytes > kPageBytes && !page.rows.empty()) {
      goes_on((*row)->sequence);
      return page;
    }
    page.rows.push_back(std::move(*row));
    auto shown = shown_rows(**event, *subscribed, ask.peer.is_operator);
    if (!shown) return tl::unexpected(shown.error());
    for (auto& one : *shown) page.rows.push_back(std::move(one));
  }
  return page;
}

History::Impl::AnyPage History::Impl::scan(const core::Ask& ask) const {
  const auto& query = ask.query;
  if (query.journey.empty() && query.agency.empty()) {
    return fail(ErrorKind::invalid, "a timeline is asked for by person, journey or agency");
  }
  wire::PageT page;
  auto entries = ledger.read(query.after + 1, kScanEntries, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  std::size_t bytes = 0;
  for (const auto& sealed : *entries) {
    if (page.rows.size() >= rows_wanted(query)) break;
    const auto before = std::exchange(page.next_after, sealed.header.sequence);
    auto event = open_event(sealed, sealer);
    if (!event) return tl::unexpected(event.error());
    if (!*event) continue;
    if (!query.journey.empty() && (*event)->journey != query.journey) continue;
    if (!query.agency.empty() && (*event)->agency != query.agency) continue;
    auto row = row_of(**event, ask.peer, query.role);
    if (!row) return tl::unexpected(row.error());
    if (!*row) continue;
    bytes += (*row)->view.size();
    if (bytes > kPageBytes && !page.rows.empty()) {
      page.next_after = before;
      break;
    }
    page.rows.push_back(std::move(*row));
  }
  page.more = page.next_after != 0 && page.next_after < ledger.head();
  return page;
}

History::Impl::AnyPage History::Impl::dead_letters(const core::Ask& ask) const {
  const auto& query = ask.query;
  auto subscribed = visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  if (!query.subscription.empty()) {
    std::erase_if(*subscribed, [&](const auto& one) { return one.name != query.subscription; });
    if (subscribed->empty()) return fail(ErrorKind::not_found, "no such subscription is the asker's");
  }
  const auto rows_max = rows_wanted(query);
  wire::PageT page;
  for (const auto& subscription : *subscribed) {
    auto found = store.scan(row_keys::dead_of(subscription.name),
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
  auto subscribed = visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  wire::PageT page;
  const StoredRows rows(store);
  for (const auto& subscription : *subscribed) {
    auto backlog = backlog_row(rows, subscription.name);
    if (!backlog) return tl::unexpected(backlog.error());
    auto oldest = pending_rows(rows, subscription.name, 0, 1);
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
  auto all = subscription_rows(StoredRows(store));
  if (!all) return tl::unexpected(all.error());
  BacklogRow total;
  for (const auto& subscription : *all) {
    auto backlog = backlog_row(StoredRows(store), subscription.name);
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
  add("head", ledger.head(), ledger.head());
  add("applied", store.applied(), store.applied());
  add("subscriptions", 0, all->size());
  add("pending", 0, total.pending);
  add("dead_letters", 0, total.dead);
  return page;
}

History::ReplayPart History::replay(const core::AskReplay& ask, Sequence from,
                                    std::size_t deliveries_max) const {
  CAREHUB_ASSERT(impl_->policy.has_value(), "use_policy() comes before the first replay");
  ReplayPart part;
  part.frame.number = ask.replay.number;
  const auto replayed = ask.replay.preview ? impl_->preview_some(ask, from, part)
                                           : impl_->replay_some(ask, from, deliveries_max, part);
  part.frame.next = part.next;
  if (!replayed) {
    part.frame.deliveries.clear();
    part.frame.last = true;
    part.frame.error = static_cast<wire::ErrorKind>(replayed.error().kind);
    part.frame.text = replayed.error().text;
  }
  return part;
}

/// The events of a replay's next part that its person and its filter let through. `take` says whether the
/// part goes on behind this one, or begins again with it.
template <class Take>
Result<void> History::Impl::each_of_part(const core::AskReplay& ask, Sequence from, std::size_t entries_max,
                                         ReplayPart& part, Take take) const {
  const auto& wanted = ask.replay;
  std::optional<PersonKey> person;
  if (!wanted.person.empty()) {
    auto found = person_of(wanted.person);
    if (!found) return tl::unexpected(found.error());
    person = *found;
  }
  part.next = std::max({from, wanted.first, Sequence{1}});
  const bool to_the_end = wanted.last == 0 || kFault == Fault::replays_past_the_end;
  const auto last = to_the_end ? ledger.head() : std::min(wanted.last, ledger.head());
  const auto entries = ledger.read(part.next, entries_max, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& sealed : *entries) {
    if (part.next > last) break;
    auto event = open_event(sealed, sealer);
    if (!event) return tl::unexpected(event.error());
    const bool asked_for =
        *event && (!person || (*event)->person == *person) &&
        (!wanted.filter || core::matches(*wanted.filter, *(*event)->event, (*event)->channel));
    if (asked_for) {
      auto taken = take(**event);
      if (!taken) return tl::unexpected(taken.error());
      if (!*taken) return {};
    }
    part.next = sealed.header.sequence + 1;
  }
  part.frame.last = part.next > last || entries->empty();
  return {};
}

Result<void> History::Impl::replay_some(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                                        ReplayPart& part) const {
  std::size_t bytes = 0;
  auto& deliveries = part.frame.deliveries;
  return each_of_part(ask, from, kScanEntries, part, [&](const PastEvent& past) -> Result<bool> {
    if (deliveries.size() >= deliveries_max) return false;
    auto one = replay_one(ask, past, part.frame);
    if (!one) return tl::unexpected(one.error());
    if (!*one) return true;
    bytes += (*one)->view.size();
    if (bytes > kPageBytes && !deliveries.empty()) {
      --part.frame.matched;  // the next part begins with it
      return false;
    }
    deliveries.push_back(std::move(*one));
    return true;
  });
}

Result<void> History::Impl::preview_some(const core::AskReplay& ask, Sequence from, ReplayPart& part) const {
  auto subscribed = visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  const auto& into = ask.replay.into;
  std::erase_if(*subscribed,
                [&](const auto& one) { return one.replay || (!into.empty() && one.name != into); });
  ReplayPreview preview(
      *policy, [this](const std::string& id) -> const core::Agency& { return agency_of(id); },
      std::move(*subscribed));
  auto counted =
      each_of_part(ask, from, preview.entries_max(), part, [&](const PastEvent& past) -> Result<bool> {
        preview.count(past);
        if (!into.empty()) return true;
        const auto before = part.frame.matched;
        if (auto one = replay_one(ask, past, part.frame); !one) return tl::unexpected(one.error());
        preview.count(past.event->type(), part.frame.matched > before);
        return true;
      });
  part.frame.counts = preview.counts();
  for (const auto& count : part.frame.counts) {
    if (into.empty()) break;
    part.frame.matched += count->matched;
    part.frame.withheld += count->withheld;
  }
  return counted;
}

Result<History::Impl::DeliveryPtr> History::Impl::replay_one(const core::AskReplay& ask,
                                                             const PastEvent& past,
                                                             wire::ReplayedT& frame) const {
  const auto& role = ask.replay.role;
  const auto* rule = policy->rule_for(role, agency_of(ask.peer.agency), *past.event);
  if (rule == nullptr) {
    ++frame.withheld;
    return DeliveryPtr();
  }
  auto view = core::deliverable(*past.event, *rule, past.sequence);
  if (!view && view.error().kind != ErrorKind::invalid) return tl::unexpected(view.error());
  if (!view) {
    ++frame.withheld;
    frame.text = view.error().text;  // one view that is too large ends no replay
    return DeliveryPtr();
  }
  ++frame.matched;
  if (ask.replay.preview) return DeliveryPtr();
  auto delivery = std::make_unique<wire::DeliveryT>();
  delivery->sequence = past.sequence;
  delivery->attempt = 1;
  delivery->appended_at = past.appended_at.us;
  delivery->type = past.event->type();
  const auto pseudonym = storage::keyed_hash(vault.index_key(), "pseudonym:replay:" + ask.peer.agency + ":" +
                                                                    role + ":" + to_hex(past.person.bytes));
  delivery->person = std::make_unique<ledger::Key>(to_ledger(pseudonym));
  delivery->view = std::move(*view);
  delivery->legal_basis = rule->legal_basis;
  delivery->replay = true;
  delivery->marks = past.marks;
  return delivery;
}

}  // namespace carehub::care
