#include "broker/care/links_fold.hpp"

#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kRowsOfScan = 4096;

template <class Visit>
void each_name(const ledger::EventEntry& entry, const storage::SecretKey& index_key, Visit visit) {
  const auto* event = entry.event_nested_root();
  if (event == nullptr || (event->identity_link() == nullptr && event->identity_merge() == nullptr)) return;
  for (const auto& name : core::linked_identifier_texts(*event))
    visit(core::identifier_hash(index_key, name));
}

}  // namespace

void keep_links(Rows& rows) { rows.put(row_keys::links_kept(), {}); }

Result<bool> links_kept(const RowReads& rows) {
  auto row = rows.get(row_keys::links_kept());
  if (!row) return tl::unexpected(row.error());
  return row->has_value();
}

void fold_links(const FoldEntry& entry, const ledger::EventEntry& event, const storage::SecretKey& index_key,
                Rows& rows) {
  each_name(event, index_key,
            [&](const KeyedHash& name) { rows.put(row_keys::link_naming(name, entry.sequence), {}); });
}

void remove_link(Sequence sequence, const ledger::EventEntry& event, const storage::SecretKey& index_key,
                 Rows& rows) {
  each_name(event, index_key,
            [&](const KeyedHash& name) { rows.remove(row_keys::link_naming(name, sequence)); });
}

Result<std::vector<KeyedHash>> names_of(const RowReads& rows, const PersonKey& person, std::size_t rows_max) {
  const auto prefix = row_keys::names_of(person);
  auto found = rows.scan(prefix, prefix, rows_max);
  if (!found) return tl::unexpected(found.error());
  std::vector<KeyedHash> names;
  for (const auto& row : *found)
    names.push_back(RowReader(std::string_view(row.key).substr(prefix.size())).key<KeyedHash>());
  return names;
}

Result<std::vector<KeyedHash>> names_in_links(const RowReads& rows, std::size_t names_max) {
  const auto prefix = row_keys::links_naming();
  std::vector<KeyedHash> names;
  for (auto from = prefix;;) {
    const auto found = rows.scan(prefix, from, kRowsOfScan);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      const auto name = RowReader(std::string_view(row.key).substr(prefix.size())).key<KeyedHash>();
      if (names.empty() || names.back() != name) names.push_back(name);
      if (names.size() == names_max) return names;
    }
    if (found->size() < kRowsOfScan) return names;
    from = found->back().key + '\0';
  }
}

Result<std::vector<Sequence>> links_naming(const RowReads& rows, const KeyedHash& identifier,
                                           std::size_t rows_max) {
  const auto prefix = row_keys::links_naming(identifier);
  auto found = rows.scan(prefix, prefix, rows_max);
  if (!found) return tl::unexpected(found.error());
  std::vector<Sequence> sequences;
  for (const auto& row : *found) sequences.push_back(row_keys::last_sequence(row.key));
  return sequences;
}

}  // namespace carehub::care
