#include "broker/core/corrections.hpp"

#include <algorithm>
#include <vector>

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

struct Cancel {
  Sequence sequence = 0;
  Bytes event;
};

/// The cancel, if any, that is of this event: the oldest of them. It is used up.
Sequence take_cancel_of(const event::Event& event, std::vector<Cancel>& cancels) {
  const auto met = std::find_if(cancels.rbegin(), cancels.rend(), [&](const Cancel& cancel) {
    return is_cancelled_by(event, *event::GetEvent(cancel.event.data()));
  });
  if (met == cancels.rend()) return 0;
  const auto sequence = met->sequence;
  cancels.erase(std::next(met).base());
  return sequence;
}

bool says_which(const event::Event& correction) {
  const auto* visit = correction.correction()->visit_number();
  const auto* message = correction.correction()->corrected_message_id();
  return (visit != nullptr && visit->size() != 0) || (message != nullptr && message->size() != 0);
}

const event::Location* place_of(const event::Event& event) {
  if (const auto* admission = event.admission()) return admission->location();
  if (const auto* movement = event.movement()) return movement->to();
  if (const auto* discharge = event.discharge()) return discharge->location();
  return nullptr;
}

void go_by(const event::Event& cancelled, event::EventT& correction) {
  correction.correction->tier = static_cast<std::uint8_t>(tier_of(cancelled));
  if (const auto* place = place_of(cancelled))
    correction.correction->location = std::unique_ptr<event::LocationT>(place->UnPack());
  else
    correction.correction->location.reset();
  // What protects the child in the one protects in the other, which now tells the same of them.
  if (cancelled.restrictions() != nullptr) {
    for (const auto mark : *cancelled.restrictions()) {
      const auto restriction = static_cast<event::Restriction>(mark);
      if (std::ranges::find(correction.restrictions, restriction) == correction.restrictions.end())
        correction.restrictions.push_back(restriction);
    }
  }
  if (!correction.person || cancelled.person() == nullptr) return;
  const std::unique_ptr<event::PersonT> child(cancelled.person()->UnPack());
  correction.person->home_authority = std::move(child->home_authority);
  correction.person->gp_practice = std::move(child->gp_practice);
  correction.person->school = std::move(child->school);
  correction.person->birth_date = std::move(child->birth_date);
}

Bytes packed(const event::EventT& event) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(event::Event::Pack(builder, &event), event::EventIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

/// The child's events from one back, newest first, until `visit(sequence, event, bytes)` says that it is
/// enough. What was mended for one receiver is passed over: nobody else was told of it.
template <class Visit>
Result<void> walk_back(Sequence newest, const StateReader& state, Visit visit) {
  Sequence sequence = newest;
  for (int looked_at = 0; sequence != 0 && looked_at < kEntriesLookedAt; ++looked_at) {
    auto stored = state.body(sequence);
    if (!stored) return tl::unexpected(stored.error());
    if (stored->bytes.empty()) return {};  // erased, and what came before it, too
    const auto* entry = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
    if (entry == nullptr || entry->event() == nullptr) return {};
    const Bytes bytes(entry->event()->begin(), entry->event()->end());
    const auto* event = verified_event(bytes);
    if (event == nullptr) {
      return fail(ErrorKind::corrupt,
                  "entry " + std::to_string(sequence) + " holds an event that does not verify");
    }
    const bool mended = entry->mended_for() != nullptr && entry->mended_for()->size() != 0;
    if (!mended && visit(sequence, *event, bytes)) return {};
    sequence = entry->previous_of_person();
  }
  return {};
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
  Bytes completed;
  std::vector<Cancel> cancels;
  const auto walked =
      walk_back(newest, state, [&](Sequence sequence, const event::Event& event, const Bytes& bytes) {
        // Of two cancels that name no visit the second is not of what the first one cancelled.
        if (!says_which(correction) && corrected_type(event) != event::EventType::unknown)
          cancels.push_back({sequence, bytes});
        if (!is_cancelled_by(event, correction) || take_cancel_of(event, cancels) != 0) return false;
        const std::unique_ptr<event::EventT> whole(correction.UnPack());
        go_by(event, *whole);
        completed = packed(*whole);
        return true;
      });
  if (!walked) return tl::unexpected(walked.error());
  return completed;
}

Result<Sequence> cancel_of(Sequence sequence, Sequence newest, const StateReader& state) {
  Sequence cancelled_by = 0;
  std::vector<Cancel> cancels;
  const auto walked =
      walk_back(newest, state, [&](Sequence at, const event::Event& event, const Bytes& bytes) {
        if (corrected_type(event) != event::EventType::unknown) cancels.push_back({at, bytes});
        const auto met = take_cancel_of(event, cancels);
        if (at == sequence) cancelled_by = met;
        return at <= sequence;
      });
  if (!walked) return tl::unexpected(walked.error());
  return cancelled_by;
}

}  // namespace carehub::core
