#include "broker/core/child_marks.hpp"

#include <algorithm>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

using event::Restriction;

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

bool is_too_long(const flatbuffers::String* text) {
  return text != nullptr && text->size() > limits::kErrorTextBytesMax;
}

bool is_mark(Restriction mark) { return mark > Restriction::unknown && mark <= Restriction::MAX; }

RestrictionSet marks_in(const wire::MarkChild& frame) {
  RestrictionSet marks = 0;
  for (const auto mark : *frame.restrictions())
    marks = static_cast<RestrictionSet>(marks | bit_of(static_cast<Restriction>(mark)));
  return marks;
}

}  // namespace

std::optional<ChildMarks::Refusal> ChildMarks::fault_of(const Peer& peer, const wire::MarkChild& frame) {
  if (!peer.is_operator) return Refusal{ErrorKind::denied, "only an operator's connection marks a child"};
  for (const auto* text : {frame.person(), frame.by(), frame.reason()}) {
    if (is_too_long(text)) return Refusal{ErrorKind::invalid, "a text of the frame is too long"};
  }
  if (text_of(frame.by()).empty()) return Refusal{ErrorKind::invalid, "say who asks: it is recorded"};
  if (text_of(frame.reason()).empty()) return Refusal{ErrorKind::invalid, "say the reason: it is recorded"};
  if (frame.restrictions() == nullptr || frame.restrictions()->size() == 0)
    return Refusal{ErrorKind::invalid, "say which mark"};
  for (const auto mark : *frame.restrictions()) {
    if (!is_mark(static_cast<Restriction>(mark)))
      return Refusal{ErrorKind::invalid, "this hub does not know such a mark"};
  }
  return std::nullopt;
}

Result<std::optional<ChildMarks::Change>> ChildMarks::change_of(const PersonKey& person, RestrictionSet asked,
                                                                bool lift, RestrictionSet& borne) const {
  const auto known = context_.state.person(person);
  if (!known) return tl::unexpected(known.error());
  const auto facts = context_.state.child_facts(person);
  if (!facts) return tl::unexpected(facts.error());
  borne = marks_known(*facts);
  const auto differs = static_cast<RestrictionSet>(lift ? asked & borne : asked & ~borne);
  if (!*known || differs == 0) return std::optional<Change>();
  return std::optional(Change{person, (*known)->key_id, differs});
}

Sequence ChildMarks::record(const Peer& peer, const wire::MarkChild& frame, const Change& change,
                            Timestamp now) {
  ledger::OperatorActionT action;
  action.action = frame.lift() ? kLiftAction : kMarkAction;
  action.by = asker(peer, text_of(frame.by()));
  action.reason = text_of(frame.reason());
  action.person = std::make_unique<ledger::Key>(to_ledger(change.person));
  for (const auto mark : event::EnumValuesRestriction()) {
    if (is_mark(mark) && (bit_of(mark) & change.marks) != 0) action.restrictions.push_back(mark);
  }
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  return context_.journal.append({storage::EntryKind::operator_action, change.key_id, std::move(body)}, now);
}

Result<void> ChildMarks::handle(const Peer& peer, const wire::MarkChild& frame, Timestamp now,
                                Decision& out) {
  // What a child bears is not told in an entry that stays when the child is erased.
  const auto refuse = [&](const Refusal& refusal) -> Result<void> {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), refusal.kind, refusal.why, 0)});
    Wish wish{frame.lift() ? kLiftAction : kMarkAction, {}, frame.by(), frame.reason()};
    if (frame.person() != nullptr && !is_too_long(frame.person()) && refused_.tells(peer, now)) {
      const auto named = named_child(context_.state, context_.index_key, frame.person()->string_view());
      if (!named) return tl::unexpected(named.error());
      if (named->written) wish.person = std::make_unique<ledger::Key>(*named->written);
      wish.what.add(named->what);
    }
    return refused_.add(peer, std::move(wish), refusal.why, now);
  };
  if (const auto fault = fault_of(peer, frame)) return refuse(*fault);
  const auto named = named_child(context_.state, context_.index_key, text_of(frame.person()));
  if (!named) return tl::unexpected(named.error());
  if (!named->well_formed) return refuse({ErrorKind::invalid, "say whom: nhs:, upn:, local: or sequence:"});
  if (!named->person) return refuse({ErrorKind::not_found, "the hub knows nobody by this identifier"});
  const auto asked = marks_in(frame);
  RestrictionSet borne = 0;
  const auto change = change_of(*named->person, asked, frame.lift(), borne);
  if (!change) return tl::unexpected(change.error());
  if (frame.lift() && (asked & ~borne) != 0)
    return refuse({ErrorKind::conflict, "the child does not bear each of these marks: nothing is lifted"});
  const Sequence recorded = *change ? record(peer, frame, **change, now) : 0;
  out.sends.push_back({peer.connection, handled_frame(frame.number(), std::nullopt, "", recorded)});
  return {};
}

}  // namespace carehub::core
