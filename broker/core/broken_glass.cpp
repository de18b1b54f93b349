#include "broker/core/broken_glass.hpp"

#include <algorithm>

#include "broker/core/courses.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

bool is_too_long(const flatbuffers::String* text) {
  return text != nullptr && text->size() > limits::kErrorTextBytesMax;
}

}  // namespace

std::optional<BrokenGlass::Refusal> BrokenGlass::fault_of(const Peer& peer,
                                                          const wire::BreakGlass& frame) const {
  if (peer.is_operator) {
    return Refusal{ErrorKind::denied,
                   "the glass is broken by an agency, for a role of its own: connect as that agency"};
  }
  for (const auto* text : {frame.person(), frame.role(), frame.by(), frame.reason()}) {
    if (is_too_long(text)) return Refusal{ErrorKind::invalid, "a text of the frame is too long"};
  }
  const auto role = text_of(frame.role());
  const auto& roles = context_.disclosure.agency(peer.agency).roles;
  if (std::ranges::find(roles, role) == roles.end()) {
    return Refusal{ErrorKind::denied, "agency " + peer.agency +
                                          " may not break the glass in this role: its roles in the hub's "
                                          "configuration decide"};
  }
  const auto minutes_max = context_.disclosure.current().break_glass_minutes(role);
  if (minutes_max == 0) {
    return Refusal{ErrorKind::denied,
                   "no rule of role " + role + " says break_glass_minutes: it has no glass to break"};
  }
  if (text_of(frame.by()).empty()) return Refusal{ErrorKind::invalid, "say who asks: it is recorded"};
  if (text_of(frame.reason()).empty()) return Refusal{ErrorKind::invalid, "say the reason: it is recorded"};
  if (frame.minutes() == 0 || frame.minutes() > minutes_max) {
    return Refusal{ErrorKind::invalid, "say for how long: role " + role + " may have 1 to " +
                                           std::to_string(minutes_max) + " minutes"};
  }
  return std::nullopt;
}

Result<void> BrokenGlass::refuse(const Peer& peer, const wire::BreakGlass& frame, const Refusal& refusal,
                                 Timestamp now, Decision& out) {
  out.sends.push_back({peer.connection, handled_frame(frame.number(), refusal.kind, refusal.why, 0)});
  Wish wish{kBreakGlassVerb, {}, frame.by(), frame.reason()};
  if (frame.person() != nullptr && !is_too_long(frame.person()) && refused_.tells(peer, now)) {
    const auto named = named_child(context_.state, context_.index_key, frame.person()->string_view());
    if (!named) return tl::unexpected(named.error());
    if (named->written) wish.person = std::make_unique<ledger::Key>(*named->written);
    wish.what.add(named->what);
  }
  return refused_.add(peer, std::move(wish), refusal.why, now);
}

Result<void> BrokenGlass::handle(const Peer& peer, const wire::BreakGlass& frame, Timestamp now,
                                 Decision& out) {
  if (const auto fault = fault_of(peer, frame)) return refuse(peer, frame, *fault, now, out);
  auto named = named_child(context_.state, context_.index_key, text_of(frame.person()));
  if (!named) return tl::unexpected(named.error());
  if (!named->well_formed) {
    return refuse(peer, frame, {ErrorKind::invalid, "say whom: nhs:, upn:, local: or sequence:"}, now, out);
  }
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::AccessT access;
  access.verb = kBreakGlassVerb;
  access.by = asker(peer, text_of(frame.by()));
  access.agency = peer.agency;
  access.role = text_of(frame.role());
  access.reason = text_of(frame.reason());
  access.what = std::move(named->what);
  if (named->written) access.person = std::make_unique<ledger::Key>(*named->written);
  access.until = now.us + std::int64_t{frame.minutes()} * 60 * kSecondUs;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  wire::HandledT handled;
  handled.number = frame.number();
  handled.sequence = context_.journal.append({storage::EntryKind::access, *key, std::move(body)}, now);
  handled.until = access.until;
  out.sends.push_back({peer.connection, handled_frame(handled)});
  out.alarms.push_back({"glass_broken", "agency " + peer.agency + " has broken the glass in role " +
                                            access.role + " until " + to_rfc3339({access.until}) +
                                            ", recorded as entry " + std::to_string(handled.sequence)});
  return {};
}

}  // namespace carehub::core
