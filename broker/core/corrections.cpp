#include "broker/core/corrections.hpp"

#include <optional>

#include "broker/base/event_fields.hpp"
#include "broker/core/route.hpp"

namespace carehub::core {
namespace {

/// A child has a handful of events in a stay; a cancel comes hours after what it cancels.
constexpr int kEntriesLookedAt = 64;

bool differ(const flatbuffers::String* one, const flatbuffers::String* other) {
  if (one == nullptr || other == nullptr || one->size() == 0 || other->size() == 0) return false;
  return one->string_view() != other->string_view();
}

const flatbuffers::String* visit_of(const event::Event& event) {
  if (const auto* admission = event.admission()) return admission->visit_number();
  if (const auto* movement = event.movement()) return movement->visit_number();
  if (const auto* discharge = event.discharge()) return discharge->visit_number();
  return nullptr;
}

bool is_cancelled_by(const event::Event& event, const event::Event& correction) {
  return event.type() == corrected_type(correction) &&
         !differ(event.source_agency(), correction.source_agency()) &&
         !differ(visit_of(event), correction.correction()->visit_number()) &&
         !differ(event.source_message_id(), correction.correction()->corrected_message_id());
}

template <class T>
bool take(std::unique_ptr<T>& into, std::unique_ptr<T>& from) {
  if (into || !from) return false;
  into = std::move(from);
  return true;
}

/// Whether anything was missing.
bool complete(event::EventT& correction, const event::Event& cancelled) {
  bool added = false;
  if (correction.correction->tier == 0 && tier_of(cancelled) != 0) {
    correction.correction->tier = static_cast<std::uint8_t>(tier_of(cancelled));
    added = true;
  }
  if (cancelled.person() == nullptr) return added;
  const std::unique_ptr<event::PersonT> child(cancelled.person()->UnPack());
  auto& person = correction.person;
  if (!person) person = std::make_unique<event::PersonT>();
  added = take(person->home_authority, child->home_authority) || added;
  added = take(person->gp_practice, child->gp_practice) || added;
  added = take(person->school, child->school) || added;
  return take(person->birth_date, child->birth_date) || added;
}

Bytes packed(const event::EventT& event) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(event::Event::Pack(builder, &event), event::EventIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace

event::EventType corrected_type(const event::Event& event) {
  if (event.type() != event::EventType::correction || event.correction() == nullptr)
    return event::EventType::unknown;
  const auto corrects = event.correction()->corrects();
  return corrects == event::EventType::unknown ? event::EventType::admission : corrects;
}

Result<Bytes> completed_correction(const event::Event& correction, Sequence newest,
                                   const StateReader& state) {
  Sequence sequence = newest;
  for (int looked_at = 0; sequence != 0 && looked_at < kEntriesLookedAt; ++looked_at) {
    auto stored = state.body(sequence);
    if (!stored) return tl::unexpected(stored.error());
    if (stored->bytes.empty()) break;  // erased, and what came before it, too
    const auto* entry = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
    if (entry == nullptr || entry->event() == nullptr) break;
    // What an operator corrected for one receiver is what nobody else was told.
    const bool mended = entry->mended_for() != nullptr && entry->mended_for()->size() != 0;
    const Bytes bytes(entry->event()->begin(), entry->event()->end());
    const auto* event = verified_event(bytes);
    if (event == nullptr) {
      return fail(ErrorKind::corrupt,
                  "entry " + std::to_string(sequence) + " holds an event that does not verify");
    }
    if (!mended && is_cancelled_by(*event, correction)) {
      const std::unique_ptr<event::EventT> whole(correction.UnPack());
      return complete(*whole, *event) ? packed(*whole) : Bytes();
    }
    sequence = entry->previous_of_person();
  }
  return Bytes();
}

}  // namespace carehub::core
