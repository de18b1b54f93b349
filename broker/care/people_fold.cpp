#include "broker/care/people_fold.hpp"

#include "broker/base/event_fields.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {
namespace {

/// Whether the person is in a bed after this event; nullopt: as before.
std::optional<bool> admitted_by(const ledger::EventEntry& entry) {
  switch (entry.type()) {
    case event::EventType::admission: return true;
    case event::EventType::discharge: return false;
    case event::EventType::correction: {
      const auto* event = entry.event_nested_root();
      const auto* correction = event == nullptr ? nullptr : event->correction();
      if (correction == nullptr) return std::nullopt;
      if (correction->corrects() == event::EventType::admission) return false;
      if (correction->corrects() == event::EventType::discharge) return true;
      return std::nullopt;
    }
    default: return std::nullopt;
  }
}

}  // namespace

Result<void> fold_people(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  if (event.person() == nullptr) return {};
  const auto person = key_from<PersonKey>(*event.person());
  // What was mended for one receiver says nothing new about the child.
  auto admitted = event.mends() != 0 ? std::nullopt : admitted_by(event);
  if (!admitted) {
    auto known = person_record(rows, person);
    if (!known) return tl::unexpected(known.error());
    admitted = *known && (*known)->admitted;
  }
  rows.put(row_keys::person(person),
           RowWriter().key(entry.key_id).number(entry.sequence).flag(*admitted).take());
  if (event.identifiers() == nullptr) return {};
  for (const auto* identifier : *event.identifiers()) {
    const auto hash = key_from<KeyedHash>(*identifier);
    rows.put(row_keys::link(hash), RowWriter().key(person).take());
    rows.put(row_keys::name_of(person, hash), {});
  }
  return {};
}

Result<std::optional<core::PersonRecord>> person_record(const RowReads& rows, const PersonKey& person) {
  auto row = rows.get(row_keys::person(person));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<core::PersonRecord>();
  RowReader reader(**row);
  core::PersonRecord record;
  record.key_id = reader.key<KeyId>();
  record.last = reader.number<Sequence>();
  record.admitted = reader.flag();
  if (!reader.ok()) return fail(ErrorKind::corrupt, "a person's row is cut short: run carehub rebuild");
  return std::optional(record);
}

Result<std::optional<PersonKey>> person_linked(const RowReads& rows, const KeyedHash& identifier) {
  auto row = rows.get(row_keys::link(identifier));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<PersonKey>();
  RowReader reader(**row);
  const auto person = reader.key<PersonKey>();
  if (!reader.ok()) return fail(ErrorKind::corrupt, "an identifier's row is cut short: run carehub rebuild");
  return std::optional(person);
}

}  // namespace carehub::care
