#include "broker/care/child_facts_fold.hpp"

#include "broker/base/ledger_keys.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {
namespace {

using core::ChildFact;
using core::ChildFactKind;

/// Adds to what is known of a person, under the person's newest key.
Result<void> add(const PersonKey& person, std::vector<ChildFact> said, Rows& rows) {
  const auto record = person_record(rows, person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return {};
  auto facts = rows.child_facts().get(person);
  if (!facts) return tl::unexpected(facts.error());
  for (auto& fact : said) core::add_fact(*facts, std::move(fact));
  rows.child_facts().put(person, (*record)->key_id, std::move(*facts));
  return {};
}

/// It counts as said by the event by which it came to be known: that event's own delivery goes by it.
Result<void> fold_links(const FoldEntry& entry, const ledger::OperatorAction& action, Rows& rows) {
  if (action.others() == nullptr) return {};
  ChildFact fact;
  fact.kind =
      action.action()->string_view() == core::kLinkAction ? ChildFactKind::linked : ChildFactKind::unlinked;
  fact.entry = action.sequence();
  fact.at = entry.appended_at;
  fact.from_us = entry.appended_at.us;
  std::vector<ChildFact> said;
  for (const auto* other : *action.others()) {
    const auto key = key_from<PersonKey>(*other);
    fact.names = {std::string(text_of(key.bytes))};
    said.push_back(fact);
  }
  return add(key_from<PersonKey>(*action.person()), std::move(said), rows);
}

}  // namespace

void keep_child_facts(Rows& rows) { rows.put(row_keys::child_facts_kept(), {}); }

Result<bool> child_facts_kept(const RowReads& rows) {
  auto row = rows.get(row_keys::child_facts_kept());
  if (!row) return tl::unexpected(row.error());
  return row->has_value();
}

Result<void> fold_facts(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  const auto* said_event = event.event_nested_root();
  if (event.mends() != 0 || event.person() == nullptr || said_event == nullptr) return {};
  const auto person = key_from<PersonKey>(*event.person());
  // Before a child's first event nothing is known.
  auto facts =
      event.previous_of_person() == 0 ? Result<std::vector<ChildFact>>({}) : rows.child_facts().get(person);
  if (!facts) return tl::unexpected(facts.error());
  auto said = core::facts_said(*said_event, entry.sequence, entry.appended_at, *facts);
  if (said.empty()) return {};
  for (auto& fact : said) core::add_fact(*facts, std::move(fact));
  rows.child_facts().put(person, entry.key_id, std::move(*facts));
  return {};
}

Result<void> fold_said(const FoldEntry& entry, const ledger::OperatorAction& action, Rows& rows) {
  if (action.person() == nullptr || action.action() == nullptr) return {};
  const auto done = action.action()->string_view();
  if (done == core::kLinkAction || done == core::kUnlinkAction) return fold_links(entry, action, rows);
  if (action.restrictions() == nullptr) return {};
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
  return add(key_from<PersonKey>(*action.person()), {std::move(fact)}, rows);
}

Result<void> fold_broken_glass(const FoldEntry& entry, const ledger::Access& access, Rows& rows) {
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
  return add(key_from<PersonKey>(*access.person()), {std::move(fact)}, rows);
}

}  // namespace carehub::care
