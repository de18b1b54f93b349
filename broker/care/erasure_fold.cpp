#include "broker/care/erasure_fold.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/deliveries_fold.hpp"
#include "broker/care/links_fold.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/publications_fold.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/subscriptions_fold.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kRowsOfScan = 4096;

Result<void> remove_links(const PersonKey& person, const ledger::EventEntry& event, Rows& rows) {
  if (event.identifiers() == nullptr) return {};
  for (const auto* identifier : *event.identifiers()) {
    const auto hash = key_from<KeyedHash>(*identifier);
    const auto linked = person_linked(rows, hash);
    if (!linked) return tl::unexpected(linked.error());
    if (*linked && **linked == person) rows.remove(row_keys::link(hash));
    rows.remove(row_keys::name_of(person, hash));
  }
  return {};
}

Result<void> remove_person(const PersonKey& person, const PastBodies& past,
                           const storage::SecretKey& index_key, Rows& rows) {
  const auto record = person_record(rows, person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return {};
  for (Sequence next = (*record)->last; next != 0;) {
    const auto stored = past(next);
    if (!stored) return tl::unexpected(stored.error());
    const auto* event = stored->bytes.empty()
                            ? nullptr
                            : flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
    if (event == nullptr) {
      return fail(ErrorKind::corrupt, "the state has rows of what is erased in entry " +
                                          std::to_string(next) + ": run carehub rebuild");
    }
    if (auto removed = remove_publication(next, *event, rows); !removed) return removed;
    if (auto removed = remove_links(person, *event, rows); !removed) return removed;
    remove_link(next, *event, index_key, rows);
    next = std::min(event->previous_of_person(), next - 1);
  }
  rows.remove(row_keys::person(person));
  rows.child_facts().remove(person);
  return {};
}

Result<void> forget_deliveries(const FoldEntry& entry, const PersonKey& person, Rows& rows) {
  auto subscriptions = subscription_rows(rows);
  if (!subscriptions) return tl::unexpected(subscriptions.error());
  for (const auto& subscription : *subscriptions) {
    if (auto done = fold_forgotten(entry, subscription.name, person, rows); !done) return done;
  }
  auto former = former_subscription_rows(rows);
  if (!former) return tl::unexpected(former.error());
  for (const auto& subscription : *former) {
    if (auto done = fold_forgotten(entry, subscription.name, person, rows); !done) return done;
  }
  return {};
}

}  // namespace

Result<void> fold_erasure(const FoldEntry& entry, const ledger::Erasure& erasure, const PastBodies& past,
                          const storage::SecretKey& index_key, Rows& rows) {
  if (erasure.keys() != nullptr) {
    for (const auto* each : *erasure.keys()) {
      const auto key = key_from<KeyId>(*each);
      if (auto removed = remove_refused(key, rows); !removed) return removed;
      rows.put(row_keys::erased_key(key), RowWriter().number(entry.sequence).take());
    }
  }
  if (erasure.person() == nullptr) return {};
  const auto person = key_from<PersonKey>(*erasure.person());
  if (auto removed = remove_person(person, past, index_key, rows); !removed) return removed;
  if (kFault == Fault::keeps_what_waits_of_the_erased) return {};
  return forget_deliveries(entry, person, rows);
}

Result<std::vector<KeyId>> erased_key_rows(const RowReads& rows) {
  std::vector<KeyId> keys;
  const auto prefix = row_keys::erased_keys();
  for (std::string from;;) {
    auto found = rows.scan(prefix, from, kRowsOfScan);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      RowReader reader(std::string_view(row.key).substr(prefix.size()));
      keys.push_back(reader.key<KeyId>());
    }
    if (found->size() < kRowsOfScan) return keys;
    from = found->back().key + '\0';
  }
}

}  // namespace carehub::care
