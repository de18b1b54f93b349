#include "broker/care/state.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>

#include "broker/base/assert.hpp"
#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/child_facts_fold.hpp"
#include "broker/care/deliveries_fold.hpp"
#include "broker/care/erasure_fold.hpp"
#include "broker/care/links_fold.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/publications_fold.hpp"
#include "broker/care/report.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/record_links.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kCatchUpEntries = 1024;
constexpr std::size_t kCatchUpBytes = 8U << 20U;
constexpr std::size_t kCatchUpRows = 16'384;
constexpr std::size_t kRowsMax = 262'144;
constexpr std::size_t kTriedEntries = 256;  // the newest, opened at start whatever the state knows already

Result<void> fold_refusal(const FoldEntry& entry, const ledger::Refusal& refusal, Rows& rows) {
  const auto text = [](const flatbuffers::String* value) {
    return value == nullptr ? std::string_view() : value->string_view();
  };
  fold_refused(entry, refusal, rows);
  if (refusal.kept()) return {};  // its key is its own
  return fold_day_key(entry, core::refusal_purpose(text(refusal.agency()), text(refusal.channel())), rows);
}

Result<void> fold_body(const FoldEntry& entry, const ledger::Body& body, Rows& rows, const PastBodies& past,
                       const storage::SecretKey& index_key) {
  switch (body.entry_type()) {
    case ledger::Entry::EventEntry:
      if (auto folded = fold_publications(entry, *body.entry_as_EventEntry(), rows); !folded) return folded;
      fold_links(entry, *body.entry_as_EventEntry(), index_key, rows);
      if (auto folded = fold_people(entry, *body.entry_as_EventEntry(), rows); !folded) return folded;
      return fold_facts(entry, *body.entry_as_EventEntry(), rows);
    case ledger::Entry::Refusal: return fold_refusal(entry, *body.entry_as_Refusal(), rows);
    case ledger::Entry::Offered: return fold_offered(entry, *body.entry_as_Offered(), rows);
    case ledger::Entry::Acked: return fold_acked(entry, *body.entry_as_Acked(), rows);
    case ledger::Entry::Withheld: return fold_withheld(*body.entry_as_Withheld(), rows);
    case ledger::Entry::Nacked: return fold_nacked(*body.entry_as_Nacked(), rows);
    case ledger::Entry::DeadLetter: return fold_dead_letter(entry, *body.entry_as_DeadLetter(), rows);
    case ledger::Entry::OperatorAction:
      if (auto folded = fold_said(entry, *body.entry_as_OperatorAction(), rows); !folded) return folded;
      return fold_operator_action(*body.entry_as_OperatorAction(), rows);
    case ledger::Entry::Access: return fold_broken_glass(entry, *body.entry_as_Access(), rows);
    case ledger::Entry::SubscriptionChanged:
      if (auto folded = fold_subscription_changed(entry, *body.entry_as_SubscriptionChanged(), rows); !folded)
        return folded;
      return fold_skipped(entry, *body.entry_as_SubscriptionChanged(), rows);
    case ledger::Entry::PolicyChanged:
      fold_policy_changed(entry, *body.entry_as_PolicyChanged(), rows);
      return {};
    case ledger::Entry::ConfigChanged:
      fold_config_changed(entry, *body.entry_as_ConfigChanged(), rows);
      return {};
    case ledger::Entry::Erasure: return fold_erasure(entry, *body.entry_as_Erasure(), past, index_key, rows);
    case ledger::Entry::Report: fold_report(entry.sequence, *body.entry_as_Report(), rows); return {};
    default: return {};
  }
}

/// Not under a key of one child: marks are, and go with it. Erased are only those.
bool is_under_day_key(const FoldEntry& entry) {
  using storage::EntryKind;
  if (entry.kind == EntryKind::event || entry.kind == EntryKind::refusal) return false;
  if (entry.kind != EntryKind::operator_action) return true;
  if (entry.body.empty()) return false;
  const auto* action = flatbuffers::GetRoot<ledger::Body>(entry.body.data())->entry_as_OperatorAction();
  return action == nullptr || action->person() == nullptr;
}

Result<void> fold(const FoldEntry& entry, Rows& rows, const PastBodies& past,
                  const storage::SecretKey& index_key) {
  if (entry.sequence == 1) {
    keep_links(rows);
    keep_child_facts(rows);
  }
  if (is_under_day_key(entry)) {
    if (auto kept = fold_day_key(entry, core::kHubPurpose, rows); !kept) return kept;
  }
  if (!entry.body.empty()) {
    const auto* body = flatbuffers::GetRoot<ledger::Body>(entry.body.data());
    if (auto folded = fold_body(entry, *body, rows, past, index_key); !folded) return folded;
  }
  return {};
}

bool verified(BytesView body) {
  flatbuffers::Verifier verifier(body.data(), body.size(), 64, 1'000'000);
  return verifier.VerifyBuffer<ledger::Body>(nullptr);
}

}  // namespace

struct State::Impl {
  Impl(storage::StateStore& store, const storage::Ledger& ledger_in, storage::Sealer& sealer_in)
      : rows(store, &sealer_in), state_store(store), ledger(ledger_in), sealer(sealer_in) {}

  struct Body {
    Sequence sequence = 0;
    Timestamp appended_at;
    Bytes bytes;
    KeyId key_id;
  };

  Rows rows;
  storage::StateStore& state_store;
  const storage::Ledger& ledger;
  storage::Sealer& sealer;
  Sequence head = 0;
  Timestamp newest;
  std::vector<Drafted> drafted;
  BatchSize size;
  std::deque<Body> bodies;  // of entries that are not durable yet
  Result<void> health;      // the first fold or write that failed
  Sequence durable = 0;
  WritePace pace;
  bool flushing = false;
  std::future<Result<void>> writing;  // valid while rows are being written

  ~Impl() {
    if (writing.valid()) writing.wait();
  }

  Result<void> catch_up_some(Sequence all, core::WorkNote& note);
  Result<void> fold_past(const storage::SealedEntry& sealed, const PastBodies& past);
  Result<void> fold_in(const FoldEntry& entry, const PastBodies& past);
  Result<core::StoredBody> body(Sequence sequence, bool withdrawn_too) const;
  void seal_rows();
  Result<void> advance_writes();
  void start_write();
};

State::State(storage::StateStore& store, const storage::Ledger& ledger, storage::Sealer& sealer)
    : impl_(std::make_unique<Impl>(store, ledger, sealer)) {}
State::~State() = default;

namespace {

/// Nothing where the vault has it on record that the key was destroyed. A key that it never had means a vault
/// older than its ledger: to go on would lose what the key seals.
Result<Bytes> open(const storage::SealedEntry& sealed, const storage::Sealer& sealer,
                   bool withdrawn_too = false) {
  const auto name = "entry " + std::to_string(sealed.header.sequence);
  auto body = withdrawn_too ? sealer.open_withdrawn(sealed) : sealer.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return Bytes();
  if (body && !verified(*body)) {
    return fail(ErrorKind::corrupt, name + " opens but is no ledger body: stop and ask");
  }
  return body;
}

}  // namespace

Result<void> try_entries(const storage::Ledger& ledger, const storage::Sealer& sealer, Sequence from) {
  const Sequence all = ledger.head();
  const Sequence newest = all > kTriedEntries ? all - kTriedEntries + 1 : Sequence{1};
  for (auto next = std::clamp<Sequence>(from, 1, newest); next <= all;) {
    const auto entries = ledger.read(next, kTriedEntries, kCatchUpBytes);
    if (!entries) return tl::unexpected(entries.error());
    if (entries->empty()) return {};
    for (const auto& sealed : *entries) {
      if (const auto body = open(sealed, sealer); !body) return tl::unexpected(body.error());
    }
    next = entries->back().header.sequence + 1;
  }
  return {};
}

/// Behind an Erasure nothing is opened under its keys, whenever the vault is without them.
Result<void> State::Impl::fold_in(const FoldEntry& entry, const PastBodies& past) {
  auto folded = fold(entry, rows, past, sealer.index_key());
  if (!folded || entry.kind != storage::EntryKind::erasure || entry.body.empty()) return folded;
  const auto* erasure = flatbuffers::GetRoot<ledger::Body>(entry.body.data())->entry_as_Erasure();
  if (erasure == nullptr || erasure->keys() == nullptr) return folded;
  std::vector<KeyId> keys;
  for (const auto* key : *erasure->keys()) keys.push_back(key_from<KeyId>(*key));
  sealer.withdraw(keys);
  return folded;
}

Result<void> State::Impl::fold_past(const storage::SealedEntry& sealed, const PastBodies& past) {
  const auto body = open(sealed, sealer);
  if (!body) return tl::unexpected(body.error());
  const auto& header = sealed.header;
  return fold_in({header.sequence, header.appended_at, header.kind, header.key_id, *body}, past);
}

Result<void> State::Impl::catch_up_some(Sequence all, core::WorkNote& note) {
  auto entries = ledger.read(head + 1, kCatchUpEntries, kCatchUpBytes);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) {
    return fail(ErrorKind::corrupt, "the ledger ends at entry " + std::to_string(head) + " but its head is " +
                                        std::to_string(all) + ": run carehub audit");
  }
  const PastBodies past = [this](Sequence sequence) -> Result<core::StoredBody> {
    const auto found = ledger.read(sequence, 1, 1);
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) return fail(ErrorKind::corrupt, "entry " + std::to_string(sequence) + " is missing");
    auto body = open(found->front(), sealer, true);
    if (!body) return tl::unexpected(body.error());
    return core::StoredBody{std::move(*body), found->front().header.appended_at, {}};
  };
  for (const auto& sealed : *entries) {
    if (const auto at_work = note.begin({core::Step::fold, sealed.header.sequence})) {
      if (auto folded = fold_past(sealed, past); !folded) return folded;
    }
    head = sealed.header.sequence;
    newest = sealed.header.appended_at;
  }
  if (head < all && rows.gathered() < kCatchUpRows) return {};
  seal_rows();
  auto written = rows.write_leaving();
  rows.left();
  return written;
}

void State::Impl::seal_rows() {
  rows.put(row_keys::newest(), RowWriter().time(newest.us).take());
  rows.seal(head);
}

Result<void> State::catch_up(const std::function<void(Sequence, Sequence)>& progress, core::WorkNote* note) {
  core::WorkNote own_note;
  if (note == nullptr) note = &own_note;
  const auto all = impl_->ledger.head();
  impl_->head = impl_->state_store.applied();
  if (impl_->head > all) {
    return fail(ErrorKind::corrupt, "the state knows entries up to " + std::to_string(impl_->head) +
                                        " but the ledger ends at " + std::to_string(all) +
                                        ": run carehub rebuild once the ledger is known to be whole");
  }
  auto kept = child_facts_kept(impl_->rows);
  if (!kept) return tl::unexpected(kept.error());
  if (impl_->head > 0 && !*kept) {
    return fail(ErrorKind::corrupt,
                "the state is of a version that did not keep consent, marks and relationships: run carehub "
                "rebuild");
  }
  // An old vault lacks the newest keys: found here before anything new is sealed.
  if (auto tried = try_entries(impl_->ledger, impl_->sealer, all); !tried) return tried;
  auto newest = impl_->rows.get(row_keys::newest());
  if (!newest) return tl::unexpected(newest.error());
  if (*newest) impl_->newest = {RowReader(**newest).time()};
  while (impl_->head < all) {
    if (auto done = impl_->catch_up_some(all, *note); !done) return done;
    if (progress) progress(impl_->head, all);
  }
  impl_->durable = all;
  return {};
}

Result<core::EngineState> State::engine_state() const {
  core::EngineState state;
  auto policies = policy_rows(impl_->rows);
  if (!policies) return tl::unexpected(policies.error());
  auto subscriptions = subscription_rows(impl_->rows);
  if (!subscriptions) return tl::unexpected(subscriptions.error());
  auto former = former_subscription_rows(impl_->rows);
  if (!former) return tl::unexpected(former.error());
  auto configs = config_rows(impl_->rows);
  if (!configs) return tl::unexpected(configs.error());
  if (!configs->empty()) state.agencies = std::move(configs->back().text);
  auto courses = course_rows(impl_->rows);
  if (!courses) return tl::unexpected(courses.error());
  state.courses = std::move(*courses);
  state.former = std::move(*former);
  state.policies = std::move(*policies);
  state.subscriptions = std::move(*subscriptions);
  auto names = names_in_links(impl_->rows, core::RecordLinks::kNamesMax);
  if (!names) return tl::unexpected(names.error());
  state.linked_names = std::move(*names);
  state.head = impl_->head;
  state.appended_at = impl_->newest;
  return state;
}

Result<std::vector<KeyId>> State::erased_keys() const { return erased_key_rows(impl_->rows); }

Sequence State::append(core::NewEntry entry, Timestamp at) {
  auto& self = *impl_;
  const Sequence sequence = ++self.head;
  self.newest = std::max(self.newest, at);
  const FoldEntry folded{sequence, self.newest, entry.kind, entry.key_id, entry.body};
  if (self.health) {
    self.health = self.fold_in(folded, [&self](Sequence past) { return self.body(past, true); });
  }
  ++self.size.entries;
  self.size.bytes += entry.body.size();
  self.bodies.push_back({sequence, self.newest, entry.body, entry.key_id});
  self.drafted.push_back({sequence, self.newest, std::move(entry)});
  return sequence;
}

std::vector<State::Drafted> State::take_batch() {
  impl_->size = {};
  return std::exchange(impl_->drafted, {});
}

State::BatchSize State::batch_size() const { return impl_->size; }

Result<void> State::durable(Sequence head) {
  auto& bodies = impl_->bodies;
  while (!bodies.empty() && bodies.front().sequence <= head) bodies.pop_front();
  impl_->durable = head;
  return impl_->advance_writes();
}

/// Collects what was written, lets what has gathered leave when that is due, and writes it once its entries
/// are durable: the store never knows more than the ledger.
Result<void> State::Impl::advance_writes() {
  if (writing.valid() && writing.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    if (auto written = writing.get(); !written && health) health = written;
    pace.run_apart([done = rows.left()]() mutable { done.reset(); });
  }
  if (!health) return health;
  if (!rows.leaving() && head > rows.sealed() && (flushing || rows.gathered() >= pace.rows_min)) {
    seal_rows();
    flushing = false;
  }
  if (rows.leaving() && !writing.valid() && rows.sealed() <= durable) start_write();
  return health;
}

void State::Impl::start_write() {
  if (!pace.run_apart) {
    health = rows.write_leaving();
    rows.left();
    return;
  }
  auto done = std::make_shared<std::promise<Result<void>>>();
  writing = done->get_future();
  pace.run_apart([this, done, written = pace.written] {
    done->set_value(rows.write_leaving());
    if (written) written();
  });
}

void State::set_pace(WritePace pace) { impl_->pace = std::move(pace); }

Result<void> State::flush() {
  impl_->flushing = impl_->head > impl_->rows.sealed();
  return impl_->advance_writes();
}

Result<void> State::sync() { return impl_->state_store.sync(); }

Sequence State::written() const { return impl_->state_store.applied(); }

bool State::is_full() const { return impl_->rows.gathered() > kRowsMax; }

Sequence State::head() const { return impl_->head; }

Result<core::KnownPublication> State::publication(const Fingerprint& fingerprint,
                                                  const KeyedHash& identity) const {
  if (!impl_->health) return tl::unexpected(impl_->health.error());
  auto known = known_publication(impl_->rows, fingerprint, identity);
  if (kFault == Fault::forgets_unsynced_publications && known && known->same > impl_->durable)
    return core::KnownPublication();
  return known;
}

Result<std::vector<std::optional<PersonKey>>> State::linked(const std::vector<KeyedHash>& identifiers) const {
  std::vector<std::optional<PersonKey>> people;
  for (const auto& identifier : identifiers) {
    auto person = person_linked(impl_->rows, identifier);
    if (!person) return tl::unexpected(person.error());
    people.push_back(*person);
  }
  return people;
}

Result<std::vector<Sequence>> State::links_naming(const KeyedHash& identifier, std::size_t rows_max) const {
  return care::links_naming(impl_->rows, identifier, rows_max);
}

Result<std::vector<core::ChildFact>> State::child_facts(const PersonKey& key) const {
  if (!impl_->health) return tl::unexpected(impl_->health.error());
  return impl_->rows.child_facts().get(key);
}

Result<std::optional<core::PersonRecord>> State::person(const PersonKey& key) const {
  return person_record(impl_->rows, key);
}

Result<std::vector<core::Pending>> State::pending(const std::string& subscription, Sequence after,
                                                  std::size_t rows_max) const {
  if (!impl_->health) return tl::unexpected(impl_->health.error());
  return impl_->rows.deliveries().pending_after(subscription, after, rows_max);
}

Result<std::vector<core::Pending>> State::pending_of(const std::string& subscription, const PersonKey& person,
                                                     Sequence after, std::size_t rows_max) const {
  if (!impl_->health) return tl::unexpected(impl_->health.error());
  return impl_->rows.deliveries().pending_of(subscription, person, after, rows_max);
}

Result<std::optional<core::Pending>> State::dead_letter(const std::string& subscription,
                                                        Sequence sequence) const {
  auto dead = dead_row(impl_->rows, subscription, sequence);
  if (!dead) return tl::unexpected(dead.error());
  if (!*dead) return std::optional<core::Pending>();
  return std::optional((*dead)->delivery);
}

Result<std::optional<KeyId>> State::day_key(const std::string& purpose, std::int64_t day) const {
  return day_key_row(impl_->rows, purpose, day);
}

Result<bool> State::was_offered(const std::string& subscription, Sequence sequence) const {
  if (impl_->rows.deliveries().offered_ahead(subscription, sequence)) return true;
  const auto row = shown_row(impl_->rows, subscription, sequence);
  if (!row) return tl::unexpected(row.error());
  return row->has_value();
}

Result<bool> State::has_gaps(const std::string& subscription) const {
  auto backlog = backlog_row(impl_->rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  return backlog->gaps > 0;
}

Result<core::ReplayCounts> State::replay_counts(const std::string& replay) const {
  if (!impl_->health) return tl::unexpected(impl_->health.error());
  return replay_row(impl_->rows, replay);
}

Result<core::StoredBody> State::body(Sequence sequence) const { return impl_->body(sequence, false); }

Result<core::StoredBody> State::Impl::body(Sequence sequence, bool withdrawn_too) const {
  if (!bodies.empty() && sequence >= bodies.front().sequence) {
    const auto place = sequence - bodies.front().sequence;
    if (place < bodies.size()) {
      const auto& kept = bodies[place];
      const bool erased = !withdrawn_too && sealer.withdrawn(kept.key_id);
      return core::StoredBody{erased ? Bytes() : kept.bytes, kept.appended_at, kept.key_id};
    }
  }
  auto entries = ledger.read(sequence, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) {
    return fail(ErrorKind::not_found, "entry " + std::to_string(sequence) + " is not in the ledger");
  }
  auto opened = open(entries->front(), sealer, withdrawn_too);
  if (!opened) return tl::unexpected(opened.error());
  const auto& header = entries->front().header;
  return core::StoredBody{std::move(*opened), header.appended_at, header.key_id};
}

}  // namespace carehub::care
