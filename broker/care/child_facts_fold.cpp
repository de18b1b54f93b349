#include "broker/care/child_facts_fold.hpp"

#include "broker/base/ledger_keys.hpp"
#include "broker/care/people_fold.hpp"
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

Result<void> put(const PersonKey& person, const KeyId& key_id, const Facts& facts,
                 const storage::Sealer& sealer, Rows& rows) {
  auto name = row_keys::child_facts(person);
  auto sealed = sealer.seal_row(key_id, name, encode(facts));
  // In a rebuild the key of one who is erased later is gone already.
  if (!sealed && sealed.error().kind == ErrorKind::not_found) return {};
  if (!sealed) return tl::unexpected(sealed.error());
  rows.put(std::move(name), RowWriter().key(key_id).raw(*sealed).take());
  return {};
}

/// Adds to what is known of a person, under the person's newest key.
Result<void> add(const PersonKey& person, const Facts& said, const storage::Sealer& sealer, Rows& rows) {
  if (said.empty()) return {};
  const auto record = person_record(rows, person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return {};
  auto facts = child_facts(rows, sealer, person);
  if (!facts) return tl::unexpected(facts.error());
  for (const auto& fact : said) core::add_fact(*facts, fact);
  return put(person, (*record)->key_id, *facts, sealer, rows);
}

}  // namespace

void keep_child_facts(Rows& rows) { rows.put(row_keys::child_facts_kept(), {}); }

Result<bool> child_facts_kept(const RowReads& rows) {
  auto row = rows.get(row_keys::child_facts_kept());
  if (!row) return tl::unexpected(row.error());
  return row->has_value();
}

Result<void> fold_facts(const FoldEntry& entry, const ledger::EventEntry& event,
                        const storage::Sealer& sealer, Rows& rows) {
  const auto* said_event = event.event_nested_root();
  if (event.mends() != 0 || event.person() == nullptr || said_event == nullptr) return {};
  const auto person = key_from<PersonKey>(*event.person());
  auto facts = child_facts(rows, sealer, person);
  if (!facts) return tl::unexpected(facts.error());
  const auto said = core::facts_said(*said_event, entry.sequence, entry.appended_at, *facts);
  if (said.empty()) return {};
  for (const auto& fact : said) core::add_fact(*facts, fact);
  return put(person, entry.key_id, *facts, sealer, rows);
}

Result<void> fold_marks(const FoldEntry& entry, const ledger::OperatorAction& action,
                        const storage::Sealer& sealer, Rows& rows) {
  if (action.person() == nullptr || action.action() == nullptr || action.restrictions() == nullptr) return {};
  const auto done = action.action()->string_view();
  ChildFact fact;
  if (done == core::kMarkAction) {
    fact.kind = ChildFactKind::marks;
  } else if (done == core::kLiftAction) {
    fact.kind = ChildFactKind::marks_lifted;
  } else {
    return {};
  }
  fact.entry = entry.sequence;
  fact.at = entry.appended_at;
  fact.from_us = entry.appended_at.us;
  for (const auto mark : *action.restrictions()) {
    const auto bit = core::bit_of(static_cast<event::Restriction>(mark));
    fact.marks = static_cast<core::RestrictionSet>(fact.marks | bit);
  }
  return add(key_from<PersonKey>(*action.person()), {fact}, sealer, rows);
}

Result<void> fold_broken_glass(const FoldEntry& entry, const ledger::Access& access,
                               const storage::Sealer& sealer, Rows& rows) {
  if (access.verb() == nullptr || access.verb()->string_view() != core::kBreakGlassVerb) return {};
  if (access.person() == nullptr || access.agency() == nullptr || access.role() == nullptr) return {};
  ChildFact fact;
  fact.kind = ChildFactKind::broken_glass;
  fact.entry = entry.sequence;
  fact.at = entry.appended_at;
  fact.agency = access.agency()->str();
  fact.names = {access.role()->str()};
  fact.from_us = entry.appended_at.us;
  fact.until_us = access.until();
  return add(key_from<PersonKey>(*access.person()), {fact}, sealer, rows);
}

void remove_facts(const PersonKey& person, Rows& rows) { rows.remove(row_keys::child_facts(person)); }

Result<Facts> child_facts(const RowReads& rows, const storage::Sealer& sealer, const PersonKey& person) {
  const auto name = row_keys::child_facts(person);
  auto row = rows.get(name);
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
