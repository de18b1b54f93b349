#include "broker/care/child_facts_rows.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {
namespace {

using core::ChildFact;
using core::ChildFactKind;
using Facts = std::vector<ChildFact>;

constexpr std::uint8_t kRowVersion = 1;

void put_texts(RowWriter& row, const std::vector<std::string>& texts) {
  row.packed(texts.size());
  for (const auto& text : texts) row.text(text);
}

std::vector<std::string> texts_of(RowReader& row) {
  std::vector<std::string> texts;
  for (auto left = row.packed(); left > 0 && row.ok(); --left) texts.emplace_back(row.text());
  return texts;
}

std::string encode(const Facts& facts) {
  RowWriter row;
  row.number(kRowVersion).packed(facts.size());
  for (const auto& fact : facts) {
    row.number(static_cast<std::uint8_t>(fact.kind)).packed(fact.entry).time(fact.at.us).text(fact.agency);
    put_texts(row, fact.codes);
    put_texts(row, fact.names);
    row.time(fact.from_us).time(fact.until_us);
    row.flag(fact.given).flag(fact.by_young_person).flag(fact.for_some).number(fact.marks);
  }
  return row.take();
}

Result<Facts> decode(std::string_view plain) {
  RowReader row(plain);
  Facts facts;
  const auto version = row.number<std::uint8_t>();
  for (auto left = row.packed(); left > 0 && row.ok(); --left) {
    ChildFact fact;
    fact.kind = static_cast<ChildFactKind>(row.number<std::uint8_t>());
    fact.entry = row.packed();
    fact.at = {row.time()};
    fact.agency = row.text();
    fact.codes = texts_of(row);
    fact.names = texts_of(row);
    fact.from_us = row.time();
    fact.until_us = row.time();
    fact.given = row.flag();
    fact.by_young_person = row.flag();
    fact.for_some = row.flag();
    fact.marks = row.number<std::uint8_t>();
    facts.push_back(std::move(fact));
  }
  if (version != kRowVersion || !row.ok())
    return fail(ErrorKind::corrupt, "what is known of a child is cut short: run carehub rebuild");
  return facts;
}

/// nullopt: the key is gone, and the row with it.
Result<std::optional<std::string>> sealed_row(const std::string& name, const KeyId& key_id,
                                              const Facts& facts, const storage::Sealer& sealer) {
  auto sealed = sealer.seal_row(key_id, name, encode(facts));
  if (!sealed && sealed.error().kind == ErrorKind::not_found) return std::optional<std::string>();
  if (!sealed) return tl::unexpected(sealed.error());
  return std::optional(RowWriter().key(key_id).raw(*sealed).take());
}

}  // namespace

Result<Facts> ChildFactsRows::get(const PersonKey& person) const {
  for (const Layer* layer : {&gathering_, &leaving_}) {
    const auto found = layer->find(person);
    if (found != layer->end()) return found->second.facts;
  }
  CAREHUB_ASSERT(sealer_ != nullptr, "who reads what is known of a child can open it");
  if (const auto* known = recent(person)) return *known;
  auto facts = stored_child_facts(store_, *sealer_, person);
  if (facts) newer_.insert_or_assign(person, *facts);
  return facts;
}

/// Who is asked for again goes to the newer ones; once these are enough the older ones are let go.
const Facts* ChildFactsRows::recent(const PersonKey& person) const {
  if (newer_.size() >= kRecentMax) older_ = std::exchange(newer_, {});
  if (auto again = older_.extract(person)) newer_.insert(std::move(again));
  const auto found = newer_.find(person);
  return found == newer_.end() ? nullptr : &found->second;
}

void ChildFactsRows::put(const PersonKey& person, const KeyId& key_id, Facts facts) {
  newer_.erase(person);
  older_.erase(person);
  gathering_.insert_or_assign(person, Cell{key_id, std::move(facts)});
}

void ChildFactsRows::remove(const PersonKey& person) { put(person, {}, {}); }

Result<void> ChildFactsRows::append_leaving(std::vector<storage::RowChange>& changes) const {
  std::vector<const Layer::value_type*> sorted;
  sorted.reserve(leaving_.size());
  for (const auto& row : leaving_) sorted.push_back(&row);
  std::ranges::sort(sorted, {}, [](const auto* row) { return row->first.bytes; });
  for (const auto* row : sorted) {
    auto name = row_keys::child_facts(row->first);
    if (row->second.facts.empty()) {
      changes.push_back({std::move(name), std::nullopt});
      continue;
    }
    CAREHUB_ASSERT(sealer_ != nullptr, "who puts what is known of a child can seal it");
    auto value = sealed_row(name, row->second.key_id, row->second.facts, *sealer_);
    if (!value) return tl::unexpected(value.error());
    changes.push_back({std::move(name), std::move(*value)});
  }
  return {};
}

Result<Facts> stored_child_facts(const storage::StateStore& store, const storage::Sealer& sealer,
                                 const PersonKey& person) {
  const auto name = row_keys::child_facts(person);
  auto row = store.get(name);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return Facts();
  const auto key_id = RowReader(**row).key<KeyId>();
  if ((*row)->size() < key_id.bytes.size())
    return fail(ErrorKind::corrupt, "what is known of a child is cut short: run carehub rebuild");
  auto plain = sealer.open_row(key_id, name, std::string_view(**row).substr(key_id.bytes.size()));
  if (!plain && plain.error().kind == ErrorKind::not_found) return Facts();
  if (!plain) return tl::unexpected(plain.error());
  return decode(*plain);
}

}  // namespace carehub::care
