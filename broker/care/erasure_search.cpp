#include "broker/care/erasure_search.hpp"

#include <algorithm>
#include <set>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/past_event.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kEntries = 512;  // of one part
constexpr std::size_t kBytes = 4U << 20U;
constexpr std::size_t kChainOfPart = 64;
constexpr std::string_view kBySequence = "sequence:";

template <class List, class Item>
bool has(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}
template <class List, class Item>
void add_new(List& list, const Item& item) {
  if (!has(list, item)) list.push_back(item);
}

}  // namespace

struct ErasureSearch::Impl {
  const storage::Ledger& ledger;
  const storage::Sealer& sealer;
  StoredRows rows;
  const storage::Vault& vault;
  std::string asked;

  core::ErasureFindings found = {};
  bool begun = false;
  std::size_t walked = 0;                  // people whose chain has been walked
  Sequence next = 0;                       // of the chain that is being walked
  std::vector<std::string> linked = {};    // other identifiers that links name
  std::vector<std::string> unlinked = {};  // and those of links that were taken back
  std::vector<Sequence> several = {};      // own events that name somebody else
  std::vector<KeyId> refused = {};         // keys of refusals that name the person
  std::set<KeyId> others = {};             // and of those that do not

  Result<void> begin();
  Result<void> begin_with_entry();
  Result<void> add_person(const PersonKey& person);
  Result<void> walk();
  void take_event(const PastEvent& past);
  Result<void> follow_links();
  Result<bool> scan();
  Result<void> look_at(const storage::SealedEntry& sealed);
  void end();
};

ErasureSearch::ErasureSearch(const storage::Ledger& ledger, const storage::Sealer& sealer,
                             const storage::StateStore& store, const storage::Vault& vault,
                             std::string person)
    : impl_(new Impl{ledger, sealer, StoredRows(store), vault, std::move(person)}) {}
ErasureSearch::~ErasureSearch() = default;

core::ErasureFindings ErasureSearch::take() { return std::move(impl_->found); }

Result<bool> ErasureSearch::advance() {
  auto& self = *impl_;
  if (!self.begun) {
    self.begun = true;
    if (auto begun = self.begin(); !begun) return tl::unexpected(begun.error());
    return self.found.again;
  }
  if (self.next != 0) {
    if (auto walked = self.walk(); !walked) return tl::unexpected(walked.error());
    return false;
  }
  return self.scan();
}

Result<void> ErasureSearch::Impl::begin() {
  if (std::string_view(asked).starts_with(kBySequence)) return begin_with_entry();
  auto canonical = core::canonical_identifier(asked);
  if (!canonical) return tl::unexpected(canonical.error());
  found.names.push_back(*canonical);
  const auto person = person_linked(rows, core::identifier_hash(vault.index_key(), *canonical));
  if (!person) return tl::unexpected(person.error());
  return *person ? add_person(**person) : Result<void>();
}

Result<void> ErasureSearch::Impl::begin_with_entry() {
  const auto nobody = fail(ErrorKind::not_found, "this entry is about nobody, or it has been erased");
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
    const auto body = sealer.open(sealed);
    if (!body) return tl::unexpected(body.error());
    const auto* erasure = flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Erasure();
    if (erasure == nullptr || erasure->keys() == nullptr || erasure->keys()->size() == 0) return nobody;
    for (const auto* key : *erasure->keys()) found.keys.push_back(key_from<KeyId>(*key));
    if (erasure->person() != nullptr) found.people.push_back(key_from<PersonKey>(*erasure->person()));
    found.through = sequence;
    found.again = true;
    return {};
  }
  const auto event = open_event(sealed, sealer);
  if (!event) return tl::unexpected(event.error());
  return *event ? add_person((*event)->person) : nobody;
}

Result<void> ErasureSearch::Impl::add_person(const PersonKey& person) {
  const auto record = person_record(rows, person);
  if (!record) return tl::unexpected(record.error());
  if (!*record || has(found.people, person)) return {};
  found.people.push_back(person);
  add_new(found.keys, (*record)->key_id);
  next = (*record)->last;
  return {};
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
    add_new(found.keys, entries->front().header.key_id);
    take_event(**past);
    next = std::min((*past)->previous_of_person, next - 1);
  }
  return next == 0 ? follow_links() : Result<void>();
}

void ErasureSearch::Impl::take_event(const PastEvent& past) {
  ++found.events;
  for (const auto& name : core::identifier_texts(*past.event)) add_new(found.names, name);
  const auto all = core::linked_identifier_texts(*past.event);
  const bool links = past.event->identity_link() != nullptr || past.event->identity_merge() != nullptr;
  if (links) {
    auto& to = core::takes_back_a_link(*past.event) ? unlinked : linked;
    for (const auto& name : all) add_new(to, name);
  }
  if (links || has(past.marks, ledger::Mark::identity_conflict)) several.push_back(past.sequence);
}

/// What a link names that nobody has taken back is the same child.
Result<void> ErasureSearch::Impl::follow_links() {
  ++walked;
  while (!linked.empty() && next == 0) {
    const auto name = linked.back();
    linked.pop_back();
    if (has(unlinked, name) || has(found.names, name)) continue;
    const auto person = person_linked(rows, core::identifier_hash(vault.index_key(), name));
    if (!person) return tl::unexpected(person.error());
    found.names.push_back(name);
    if (*person) {
      if (auto added = add_person(**person); !added) return added;
    }
  }
  return {};
}

Result<bool> ErasureSearch::Impl::scan() {
  const auto entries = ledger.read(found.through + 1, kEntries, kBytes);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& sealed : *entries) {
    if (auto looked = look_at(sealed); !looked) return tl::unexpected(looked.error());
    found.through = sealed.header.sequence;
  }
  if (found.through < ledger.head() && !entries->empty()) return false;
  end();
  return true;
}

Result<void> ErasureSearch::Impl::look_at(const storage::SealedEntry& sealed) {
  const auto& header = sealed.header;
  if (header.kind == storage::EntryKind::event) {
    if (has(found.keys, header.key_id)) return {};
    const auto past = open_event(sealed, sealer);
    if (!past) return tl::unexpected(past.error());
    if (!*past) return {};
    const auto& event = *(*past)->event;
    const bool may_name = has((*past)->marks, ledger::Mark::identity_conflict) ||
                          event.identity_link() != nullptr || event.identity_merge() != nullptr;
    if (!may_name) return {};
    for (const auto& name : core::linked_identifier_texts(event)) {
      if (!has(found.names, name)) continue;
      found.shared.push_back(header.sequence);
      break;
    }
    return {};
  }
  if (header.kind != storage::EntryKind::refusal) return {};
  const auto body = sealer.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return {};
  if (!body) return tl::unexpected(body.error());
  flatbuffers::Verifier verifier(body->data(), body->size());
  if (!verifier.VerifyBuffer<ledger::Body>(nullptr)) return {};
  const auto* refusal = flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Refusal();
  if (refusal == nullptr || !refusal->kept()) return {};
  if (!core::names_any(*refusal, found.names)) {
    others.insert(header.key_id);
    return {};
  }
  ++found.refusals;
  refused.push_back(header.key_id);
  return {};
}

void ErasureSearch::Impl::end() {
  for (const auto& key : refused) {
    if (others.contains(key)) {
      ++found.refusals_kept;
    } else {
      add_new(found.keys, key);
    }
  }
  found.shared.insert(found.shared.end(), several.begin(), several.end());
  std::sort(found.shared.begin(), found.shared.end());
}

}  // namespace carehub::care
