#include "broker/care/erasure_search.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "broker/base/ledger_keys.hpp"
#include "broker/base/limits.hpp"
#include "broker/care/linked_records.hpp"
#include "broker/care/past_event.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/rows.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kEntries = 512;  // of one read; a part has at least one
constexpr std::size_t kBytes = 4U << 20U;
constexpr std::size_t kChainOfPart = 64;
constexpr std::size_t kScansMax = 16;  // of the ledger, each as the one before found out who else it is
constexpr std::string_view kBySequence = "sequence:";

template <class List, class Item>
bool has(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}
template <class List, class Item>
void add_new(List& list, const Item& item) {
  if (!has(list, item)) list.push_back(item);
}

/// One record of the child, along the chain of its events up to `last`.
struct Record {
  PersonKey person;
  Sequence last = 0;
  std::vector<KeyId> keys;
  std::vector<std::string> names;
  std::vector<Sequence> several;  // events that name somebody else
  std::vector<Sequence> taken;    // all that were looked at
  std::uint64_t events = 0;
};

struct Refused {
  Sequence sequence = 0;
  KeyId key;
  std::string purpose;  // whose key of the day it may be
  std::int64_t day = 0;
};

}  // namespace

struct ErasureSearch::Impl {
  const storage::Ledger& ledger;
  const storage::Sealer& sealer;
  StoredRows rows;
  const storage::Vault& vault;
  std::string asked;

  core::ErasureFindings found = {};
  bool begun = false;
  std::optional<std::string> asked_name = {};  // in its canonical form
  std::optional<PersonKey> asked_person = {};
  std::vector<Record> records = {};  // walked so far; the last one may be under way
  Sequence next = 0;                 // of the chain that is being walked
  std::vector<LinkStatement> statements = {};
  bool learned = false;  // while it scanned, something that may say who else it is
  std::size_t scans = 1;
  Sequence seen_head = 0;
  std::int64_t newest_day = 0;

  OneChild child = {};                       // who are one, as far as is known, and what they are called
  std::map<KeyId, std::size_t> owners = {};  // their keys, and whose: a place in `records`
  std::vector<Sequence> shared = {};
  std::vector<Refused> refused = {};   // that name the person
  std::vector<PersonKey> strays = {};  // records that events begin which the hub passed over
  std::set<KeyId> others = {};         // keys of refusals that do not, or need not

  Result<void> begin();
  Result<void> begin_with_entry();
  Result<void> begin_again(const storage::SealedEntry& sealed);
  Result<std::optional<PersonKey>> linked(const std::string& name) const;
  Result<bool> begin_walk(const PersonKey& person);
  Result<void> walk();
  bool take_event(const PastEvent& past, Record& record);
  bool take_statement(const PastEvent& past);
  Result<bool> resolve();
  Result<bool> join_records();
  Result<void> drop_names_of_others();
  Result<bool> scan();
  Result<void> look_at(const storage::SealedEntry& sealed);
  Result<void> look_at_event(const storage::SealedEntry& sealed);
  Result<void> look_at_refusal(const storage::SealedEntry& sealed);
  Result<void> look_at_action(const storage::SealedEntry& sealed);
  Result<void> take_passed_over(const PastEvent& past, const KeyId& key);
  Result<bool> end_scan();
  Result<void> end();
};

ErasureSearch::ErasureSearch(const storage::Ledger& ledger, const storage::Sealer& sealer,
                             const storage::StateStore& store, const storage::Vault& vault,
                             std::string person)
    : impl_(new Impl{ledger, sealer, StoredRows(store), vault, std::move(person)}) {}
ErasureSearch::~ErasureSearch() = default;

core::ErasureFindings ErasureSearch::take() { return std::move(impl_->found); }
Sequence ErasureSearch::through() const { return impl_->found.through; }

Result<bool> ErasureSearch::advance() {
  auto& self = *impl_;
  if (!self.begun) {
    self.begun = true;
    if (auto begun = self.begin(); !begun) return tl::unexpected(begun.error());
    if (self.found.again) return true;
    if (auto resolved = self.resolve(); !resolved) return tl::unexpected(resolved.error());
    return false;
  }
  if (self.next == 0) return self.scan();
  if (auto walked = self.walk(); !walked) return tl::unexpected(walked.error());
  if (self.next != 0) return false;
  if (auto resolved = self.resolve(); !resolved) return tl::unexpected(resolved.error());
  return false;
}

Result<void> ErasureSearch::Impl::begin() {
  if (std::string_view(asked).starts_with(kBySequence)) return begin_with_entry();
  auto canonical = core::canonical_identifier(asked);
  if (!canonical) return tl::unexpected(canonical.error());
  asked_name = std::move(*canonical);
  auto person = linked(*asked_name);
  if (!person) return tl::unexpected(person.error());
  asked_person = *person;
  return {};
}

Result<void> ErasureSearch::Impl::begin_with_entry() {
  const auto nobody = fail(ErrorKind::not_found, "this entry is about no child, or it has been erased");
  Sequence sequence = 0;
  for (const char digit : std::string_view(asked).substr(kBySequence.size())) {
    if (digit < '0' || digit > '9' || sequence > (1ULL << 58U))
      return fail(ErrorKind::invalid, "sequence: is followed by an entry's number");
    sequence = sequence * 10 + static_cast<Sequence>(digit - '0');
  }
  const auto entries = ledger.read(std::max<Sequence>(sequence, 1), 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty() || sequence == 0) return nobody;
  const auto& sealed = entries->front();
  if (sealed.header.kind == storage::EntryKind::erasure) {
    if (auto read = begin_again(sealed); !read) return read;
    return found.again ? Result<void>() : nobody;
  }
  const auto event = open_event(sealed, sealer);
  if (!event) return tl::unexpected(event.error());
  // A unit's reports are under the unit's own key.
  if (!*event || (*event)->event->type() == event::EventType::capacity) return nobody;
  asked_person = (*event)->person;
  return {};
}

/// An Erasure's keys, and what it had to leave: an entry right behind it and those of the same erasure.
Result<void> ErasureSearch::Impl::begin_again(const storage::SealedEntry& sealed) {
  const auto body = sealer.open(sealed);
  if (!body) return tl::unexpected(body.error());
  const auto* erasure = flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Erasure();
  if (erasure == nullptr || erasure->keys() == nullptr || erasure->keys()->size() == 0) return {};
  for (const auto* key : *erasure->keys()) found.keys.push_back(key_from<KeyId>(*key));
  if (erasure->person() != nullptr) found.people.push_back(key_from<PersonKey>(*erasure->person()));
  const auto sequence = sealed.header.sequence;
  found.through = sequence;
  found.again = true;
  for (auto behind = sequence + 1;; ++behind) {
    const auto entries = ledger.read(behind, 1, 1);
    if (!entries) return tl::unexpected(entries.error());
    if (entries->empty()) return {};
    const auto kind = entries->front().header.kind;
    if (kind == storage::EntryKind::erasure) continue;
    if (kind != storage::EntryKind::operator_action) return {};
    const auto opened = sealer.open(entries->front());
    if (!opened) return tl::unexpected(opened.error());
    const auto* action = flatbuffers::GetRoot<ledger::Body>(opened->data())->entry_as_OperatorAction();
    if (action != nullptr && action->sequence() == sequence && action->action() != nullptr &&
        action->action()->string_view() == core::kErasureLeftAction && action->detail() != nullptr) {
      found.stays = action->detail()->str();
    }
    return {};
  }
}

Result<std::optional<PersonKey>> ErasureSearch::Impl::linked(const std::string& name) const {
  return person_linked(rows, core::identifier_hash(vault.index_key(), name));
}

/// False: there is no such record any more.
Result<bool> ErasureSearch::Impl::begin_walk(const PersonKey& person) {
  const auto record = person_record(rows, person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return false;
  // Its key is found with its events: there are none where it has just been erased.
  records.push_back({person, (*record)->last, {}, {}, {}, {}, 0});
  next = (*record)->last;
  return true;
}

Result<void> ErasureSearch::Impl::walk() {
  for (std::size_t looked = 0; next != 0 && looked < kChainOfPart; ++looked) {
    const auto entries = ledger.read(next, 1, 1);
    if (!entries) return tl::unexpected(entries.error());
    if (entries->empty()) return fail(ErrorKind::corrupt, "entry " + std::to_string(next) + " is missing");
    const auto past = open_event(entries->front(), sealer);
    if (!past) return tl::unexpected(past.error());
    if (!*past) {
      next = 0;  // what came before has been erased
      break;
    }
    add_new(records.back().keys, entries->front().header.key_id);
    take_event(**past, records.back());
    next = std::min((*past)->previous_of_person, next - 1);
  }
  return {};
}

/// Whether it says something new of who the person is.
bool ErasureSearch::Impl::take_event(const PastEvent& past, Record& record) {
  ++record.events;
  record.taken.push_back(past.sequence);
  const auto before = record.names.size();
  for (const auto& name : core::identifier_texts(*past.event)) add_new(record.names, name);
  const bool links = past.event->identity_link() != nullptr || past.event->identity_merge() != nullptr;
  if (links || has(past.marks, ledger::Mark::identity_conflict)) record.several.push_back(past.sequence);
  const bool stated = take_statement(past);
  return stated || record.names.size() > before;
}

bool ErasureSearch::Impl::take_statement(const PastEvent& past) {
  auto statement = link_statement(past);
  if (!statement ||
      std::ranges::find(statements, past.sequence, &LinkStatement::sequence) != statements.end())
    return false;
  statements.push_back(std::move(*statement));
  return true;
}

/// Who are one, from what is known so far. False: a record has to be walked first.
Result<bool> ErasureSearch::Impl::resolve() {
  child = {};
  if (asked_person) child.people.push_back(*asked_person);
  for (const auto& stray : strays) add_new(child.people, stray);
  if (asked_name) child.names.push_back(*asked_name);
  for (bool more = true; more;) {
    auto walked = join_records();
    if (!walked || !*walked) return walked;
    auto joined = join_linked(statements, rows, vault.index_key(), child);
    if (!joined) return joined;
    more = *joined;
  }
  if (auto dropped = drop_names_of_others(); !dropped) return tl::unexpected(dropped.error());
  owners.clear();
  for (std::size_t at = 0; at < records.size(); ++at) {
    if (!has(child.people, records[at].person)) continue;
    for (const auto& key : records[at].keys) owners.emplace(key, at);
  }
  return true;
}

Result<bool> ErasureSearch::Impl::join_records() {
  for (std::size_t at = 0; at < child.people.size(); ++at) {
    const auto person = child.people[at];
    const auto known = std::ranges::find(records, person, &Record::person);
    if (known != records.end()) {
      for (const auto& name : known->names) add_new(child.names, name);
      continue;
    }
    auto there = begin_walk(person);
    if (!there) return there;
    if (*there) return false;
    child.people.erase(child.people.begin() + static_cast<std::ptrdiff_t>(at--));
  }
  return true;
}

/// An event may name another child by mistake: what is that one's is no name of this one.
Result<void> ErasureSearch::Impl::drop_names_of_others() {
  std::vector<std::string> own;
  for (const auto& name : child.names) {
    auto person = linked(name);
    if (!person) return tl::unexpected(person.error());
    if (!*person || has(child.people, **person)) own.push_back(name);
  }
  child.names = std::move(own);
  return {};
}

/// More while much comes in, so that every search comes to its end.
Result<bool> ErasureSearch::Impl::scan() {
  const auto head = ledger.head();
  const auto growth = seen_head == 0 ? 0 : static_cast<std::size_t>(head - std::min(seen_head, head));
  seen_head = head;
  const auto part = kEntries + 2 * std::min<std::size_t>(growth, limits::kBatchEntriesMax);
  for (std::size_t looked = 0; looked < part;) {
    const auto entries = ledger.read(found.through + 1, kEntries, kBytes);
    if (!entries) return tl::unexpected(entries.error());
    for (const auto& sealed : *entries) {
      if (auto done = look_at(sealed); !done) return tl::unexpected(done.error());
      found.through = sealed.header.sequence;
      newest_day = core::utc_day(sealed.header.appended_at);
    }
    looked += entries->size();
    if (found.through >= ledger.head() || entries->empty()) return end_scan();
  }
  return false;
}

Result<void> ErasureSearch::Impl::look_at(const storage::SealedEntry& sealed) {
  if (sealed.header.kind == storage::EntryKind::event) return look_at_event(sealed);
  if (sealed.header.kind == storage::EntryKind::refusal) return look_at_refusal(sealed);
  if (sealed.header.kind == storage::EntryKind::operator_action) return look_at_action(sealed);
  return {};
}

Result<void> ErasureSearch::Impl::look_at_event(const storage::SealedEntry& sealed) {
  const auto& header = sealed.header;
  const auto owner = owners.find(header.key_id);
  if (owner != owners.end() && header.sequence <= records[owner->second].last) return {};
  const auto past = open_event(sealed, sealer);
  if (!past) return tl::unexpected(past.error());
  if (!*past) return {};
  if (owner != owners.end()) {  // it came in since the chain was walked
    auto& record = records[owner->second];
    record.last = header.sequence;
    if (has(record.taken, header.sequence)) return {};
    learned = take_event(**past, record) || learned;
    return {};
  }
  const auto& event = *(*past)->event;
  const bool may_name = has((*past)->marks, ledger::Mark::identity_conflict) ||
                        event.identity_link() != nullptr || event.identity_merge() != nullptr;
  if (!may_name) return {};
  for (const auto& name : core::linked_identifier_texts(event)) {
    if (!has(child.names, name)) continue;
    shared.push_back(header.sequence);
    learned = take_statement(**past) || learned;
    break;
  }
  return {};
}

Result<void> ErasureSearch::Impl::look_at_refusal(const storage::SealedEntry& sealed) {
  const auto& header = sealed.header;
  const auto body = sealer.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return {};
  if (!body) return tl::unexpected(body.error());
  flatbuffers::Verifier verifier(body->data(), body->size());
  const bool sound = verifier.VerifyBuffer<ledger::Body>(nullptr);
  const auto* refusal =
      sound ? flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Refusal() : nullptr;
  const auto naming =
      refusal != nullptr && refusal->kept() ? core::names_any(*refusal, child.names) : core::Naming::no;
  if (naming == core::Naming::unread) ++found.refusals_unread;
  if (naming != core::Naming::yes) {
    others.insert(header.key_id);
    return {};
  }
  const auto text = [](const flatbuffers::String* value) {
    return value == nullptr ? std::string_view() : value->string_view();
  };
  refused.push_back({header.sequence, header.key_id,
                     core::refusal_purpose(text(refusal->agency()), text(refusal->channel())),
                     core::utc_day(header.appended_at)});
  return {};
}

/// What the hub passed over as it folded the ledger, no row leads to.
Result<void> ErasureSearch::Impl::look_at_action(const storage::SealedEntry& sealed) {
  const auto body = sealer.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return {};
  if (!body) return tl::unexpected(body.error());
  flatbuffers::Verifier verifier(body->data(), body->size());
  const bool sound = verifier.VerifyBuffer<ledger::Body>(nullptr);
  const auto* action =
      sound ? flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_OperatorAction() : nullptr;
  if (action == nullptr || action->action() == nullptr ||
      action->action()->string_view() != core::kPassOverAction) {
    return {};
  }
  const auto entries = ledger.read(action->sequence(), 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) return {};
  const auto past = open_event(entries->front(), sealer);
  if (!past) return tl::unexpected(past.error());
  if (!*past || (*past)->event->type() == event::EventType::capacity) return {};
  return take_passed_over(**past, entries->front().header.key_id);
}

/// It may have begun a record that nothing else is known of, or be missing in a chain. Of two children that
/// one event names, a person decides.
Result<void> ErasureSearch::Impl::take_passed_over(const PastEvent& past, const KeyId& key) {
  const bool own = has(child.people, past.person) || asked_person == past.person;
  const bool named = !has(past.marks, ledger::Mark::identity_conflict) &&
                     std::ranges::any_of(core::identifier_texts(*past.event),
                                         [this](const std::string& name) { return has(child.names, name); });
  if (!own && !named) return {};
  if (!has(child.people, past.person)) {
    add_new(strays, past.person);
    learned = true;
  }
  auto record = std::ranges::find(records, past.person, &Record::person);
  if (record == records.end()) {
    const auto row = person_record(rows, past.person);
    if (!row) return tl::unexpected(row.error());
    if (*row) return {};  // its chain is walked before the next scan
    record = records.insert(record, {past.person, past.sequence, {}, {}, {}, {}, 0});
  }
  if (has(record->taken, past.sequence)) return {};
  add_new(record->keys, key);
  take_event(past, *record);
  learned = true;
  return {};
}

/// Who else the child is may have come out on the way: then the rest is looked for once more.
Result<bool> ErasureSearch::Impl::end_scan() {
  if (learned) {
    learned = false;
    const auto before = std::pair(child.people, child.names);
    const auto resolved = resolve();
    if (!resolved) return tl::unexpected(resolved.error());
    if (!*resolved || before != std::pair(child.people, child.names)) {
      if (++scans > kScansMax) {
        return fail(ErrorKind::overloaded, "too much comes in that says who this person is: ask again later");
      }
      found.through = 0;
      found.refusals_unread = 0;
      shared.clear();
      refused.clear();
      others.clear();
      return false;
    }
  }
  if (auto ended = end(); !ended) return tl::unexpected(ended.error());
  return true;
}

Result<void> ErasureSearch::Impl::end() {
  for (const auto& record : records) {
    if (!has(child.people, record.person)) continue;
    for (const auto& key : record.keys) add_new(found.keys, key);
    found.events += record.events;
    shared.insert(shared.end(), record.several.begin(), record.several.end());
  }
  found.refusals = refused.size();
  for (const auto& each : refused) {
    // A hub before this version kept messages under the day's key, and today's still seals.
    const auto of_day = day_key_row(rows, each.purpose, each.day);
    if (!of_day) return tl::unexpected(of_day.error());
    const bool in_use = each.day == newest_day && *of_day == each.key;
    if (in_use || others.contains(each.key)) {
      ++found.refusals_kept;
      continue;
    }
    add_new(found.keys, each.key);
    found.refused.push_back(each.sequence);
  }
  found.people = child.people;
  found.names = child.names;
  found.shared = shared;
  std::sort(found.shared.begin(), found.shared.end());
  return {};
}

}  // namespace carehub::care
