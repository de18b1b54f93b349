#include "broker/care/past_event.hpp"

#include "broker/base/ledger_keys.hpp"

namespace carehub::care {

Result<PastEvent> event_in(const storage::EntryHeader& header, BytesView body) {
  flatbuffers::Verifier verifier(body.data(), body.size());
  const bool sound = verifier.VerifyBuffer<ledger::Body>(nullptr);
  const auto* entry =
      sound ? flatbuffers::GetRoot<ledger::Body>(body.data())->entry_as_EventEntry() : nullptr;
  if (entry == nullptr || entry->event() == nullptr || entry->person() == nullptr) {
    return fail(ErrorKind::corrupt, "entry " + std::to_string(header.sequence) + " opens but is no event");
  }
  PastEvent past;
  past.sequence = header.sequence;
  past.appended_at = header.appended_at;
  past.person = key_from<PersonKey>(*entry->person());
  past.previous_of_person = entry->previous_of_person();
  if (entry->agency() != nullptr) past.agency = entry->agency()->str();
  if (entry->channel() != nullptr) past.channel = entry->channel()->str();
  if (entry->journey() != nullptr) past.journey = entry->journey()->str();
  if (entry->marks() != nullptr) {
    for (const auto mark : *entry->marks()) past.marks.push_back(static_cast<ledger::Mark>(mark));
  }
  past.mends = entry->mends();
  if (entry->mended_for() != nullptr) past.mended_for = entry->mended_for()->str();
  past.bytes.assign(entry->event()->begin(), entry->event()->end());
  past.event = verified_event(past.bytes);
  if (past.event == nullptr) {
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(header.sequence) + " holds an event that does not verify");
  }
  return past;
}

Result<std::optional<PastEvent>> open_event(const storage::SealedEntry& sealed,
                                            const storage::Sealer& sealer) {
  if (sealed.header.kind != storage::EntryKind::event) return std::optional<PastEvent>();
  const auto body = sealer.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return std::optional<PastEvent>();
  if (!body) return tl::unexpected(body.error());
  auto event = event_in(sealed.header, *body);
  if (!event) return tl::unexpected(event.error());
  return std::optional(std::move(*event));
}

}  // namespace carehub::care
