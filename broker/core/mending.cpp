#include "broker/core/mending.hpp"

#include <algorithm>

#include "broker/base/event_fields.hpp"
#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/core/domain_checks.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/route.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

/// No identity or content that an agency publishes looks the same: those begin with a length.
std::string name_of(const std::string& subscription, Sequence sequence) {
  return "mended\x1f" + subscription + "\x1f" + std::to_string(sequence) + "\x1f";
}

KeyedHash identity_of(const storage::SecretKey& index_key, const std::string& name) {
  return storage::keyed_hash(index_key, name);
}

Fingerprint fingerprint_of(const storage::SecretKey& index_key, const std::string& name, BytesView event) {
  Bytes content(name.begin(), name.end());
  content.insert(content.end(), event.begin(), event.end());
  return storage::keyed_fingerprint(index_key, content);
}

}  // namespace

struct Mending::Mended {
  Bytes bytes;  // of the event, aligned
  const event::Event* event = nullptr;
  std::string agency;
  std::string channel;
  const DisclosureRule* rule = nullptr;
  PersonRecord child;
  Delivery* delivery = nullptr;
};

bool Mending::is_for(const ledger::EventEntry& entry, const Subscription& subscription) {
  if (kFault == Fault::tells_others_of_a_mend) return true;
  if (entry.mended_for() == nullptr || entry.mended_for()->size() == 0) return true;
  const auto only = entry.mended_for()->string_view();
  return only == subscription.name || (subscription.replay && only == subscription.replay->subscription);
}

Result<Sequence> Mending::made_before(const wire::HandleDeadLetter& frame) const {
  if (frame.event() == nullptr) return Sequence{0};
  const auto name = name_of(text_of(frame.subscription()), frame.sequence());
  const auto known = context_.state.publication(
      fingerprint_of(context_.index_key, name, {frame.event()->data(), frame.event()->size()}),
      identity_of(context_.index_key, name));
  if (!known) return tl::unexpected(known.error());
  return known->same;
}

Mending::Checked Mending::prepare(const wire::HandleDeadLetter& frame, const Pending& dead, Timestamp now,
                                  Mended& mended) const {
  const auto no = [](ErrorKind kind, std::string text) {
    return std::optional(Refusal{kind, std::move(text)});
  };
  mended.delivery = deliveries_.find(text_of(frame.subscription()));
  if (mended.delivery == nullptr)
    return no(ErrorKind::not_found, "the subscription is not there any more: discard the dead letter");
  if (frame.event() == nullptr || frame.event()->size() > limits::kEventBytesMax)
    return no(ErrorKind::invalid, "the mended event is missing, or larger than " +
                                      std::to_string(limits::kEventBytesMax) + " bytes");
  mended.bytes.assign(frame.event()->begin(), frame.event()->end());
  mended.event = verified_event(mended.bytes);
  if (mended.event == nullptr) return no(ErrorKind::invalid, "the bytes are no Event of event.fbs");
  if (const auto faults = check_event(*mended.event, now); !faults.empty())
    return no(ErrorKind::invalid, faults.front().place + ": " + faults.front().text);
  if (auto checked = check_original(dead, mended); !checked || *checked) return checked;
  if (auto checked = check_receiver(dead, now, mended); !checked || *checked) return checked;
  return find_child(dead, mended);
}

Mending::Checked Mending::check_original(const Pending& dead, Mended& mended) const {
  const auto stored = context_.state.body(dead.sequence);
  if (!stored) return tl::unexpected(stored.error());
  if (stored->bytes.empty())
    return std::optional(Refusal{ErrorKind::not_found, "the original has been erased"});
  const auto* original = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
  if (original == nullptr || original->agency() == nullptr)
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(dead.sequence) + " was offered but is no event");
  mended.agency = original->agency()->str();
  mended.channel = text_of(original->channel());
  if (mended.event->source_agency()->string_view() != mended.agency)
    return std::optional(
        Refusal{ErrorKind::invalid, "source_agency: is not the original's, which is " + mended.agency});
  if (mended.event->type() != original->type()) {
    return std::optional(Refusal{ErrorKind::invalid, std::string("type: is not the original's, which is ") +
                                                         event_type_name(original->type()) +
                                                         "; another fact is an event of its own"});
  }
  return std::optional<Refusal>();
}

Mending::Checked Mending::check_receiver(const Pending& dead, Timestamp now, Mended& mended) const {
  const auto& event = *mended.event;
  const auto& to = mended.delivery->subscription();
  const auto* target = to.replay ? deliveries_.find(to.replay->subscription) : mended.delivery;
  const auto filtered = [] {
    return std::optional(Refusal{
        ErrorKind::invalid, "the subscription's filter does not let it through: discard the dead letter"});
  };
  if (!matches(to.filter, event, mended.channel) || target == nullptr ||
      !matches(target->subscription().filter, event, mended.channel)) {
    return filtered();
  }
  const auto at = context_.disclosure.decided_at(now);
  const auto known = known_child(context_.state, dead.person, event, kAllKnown, dead.sequence, kAllKnown, at);
  if (!known) return tl::unexpected(known.error());
  mended.rule = context_.disclosure.current().rule_for(to.role, context_.disclosure.agency(to.agency), event,
                                                       *known, at);
  if (mended.rule == nullptr) {
    return std::optional(Refusal{
        ErrorKind::invalid, "the policy shows this subscription nothing of it: discard the dead letter"});
  }
  const auto view = context_.disclosure.bytes(*mended.rule, event, dead.sequence, marks_of(event, *known));
  if (view) {
    const bool by_view = looks_at_view(target->subscription());
    const auto& shown = *event::GetEvent(view->data());
    if (by_view && !matches_view(target->subscription().filter, shown, mended.channel)) return filtered();
    return std::optional<Refusal>();
  }
  if (!nothing_to_show(view.error())) return tl::unexpected(view.error());
  return std::optional(Refusal{ErrorKind::invalid, view.error().text});
}

/// An event without any identifier is taken to be about the original's child: a role may have been shown
/// none.
Mending::Checked Mending::find_child(const Pending& dead, Mended& mended) const {
  const auto no = [](const char* text) { return std::optional(Refusal{ErrorKind::invalid, text}); };
  if (const auto unit = unit_key(context_.index_key, mended.agency, *mended.event)) {
    if (*unit != dead.person) return no("capacity.unit: is another unit than the original's");
  }
  std::vector<KeyedHash> identifiers;
  for (const auto& text : identifier_texts(*mended.event))
    identifiers.push_back(identifier_hash(context_.index_key, text));
  if (kFault == Fault::takes_a_mend_of_another_child) identifiers.clear();
  auto linked = context_.state.linked(identifiers);
  if (!linked) return tl::unexpected(linked.error());
  const auto is_childs = [&](const auto& person) { return person == dead.person; };
  const auto is_anothers = [&](const auto& person) { return person && *person != dead.person; };
  if (std::ranges::any_of(*linked, is_anothers)) return no("person: an identifier is another child's");
  if (!identifiers.empty() && std::ranges::none_of(*linked, is_childs))
    return no("person: no identifier is known to be the original's child's");
  auto child = context_.state.person(dead.person);
  if (!child) return tl::unexpected(child.error());
  if (!*child)
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(dead.sequence) + " is about nobody that is known");
  mended.child = **child;
  return std::optional<Refusal>();
}

/// It links no identifier: what an operator typed for one receiver never decides whose a later event is.
Sequence Mending::record(const Mended& mended, const Pending& dead, Timestamp now) {
  constexpr std::size_t kAlignment = 8;
  const auto& subscription = mended.delivery->subscription().name;
  const auto name = name_of(subscription, dead.sequence);
  flatbuffers::FlatBufferBuilder builder(mended.bytes.size() + 1024);
  const auto agency = builder.CreateString(mended.agency);
  const auto channel = builder.CreateString(mended.channel);
  const auto journey = builder.CreateString(text_of(mended.event->journey()));
  const auto marks = builder.CreateVector(std::vector<ledger::Mark>{ledger::Mark::mended});
  const auto mended_for = builder.CreateString(subscription);
  builder.ForceVectorAlignment(mended.bytes.size(), sizeof(std::uint8_t), kAlignment);
  const auto event = builder.CreateVector(mended.bytes);
  const auto person = to_ledger(dead.person);
  const auto fingerprint = to_ledger(fingerprint_of(context_.index_key, name, mended.bytes));
  const auto identity = to_ledger(identity_of(context_.index_key, name));
  ledger::EventEntryBuilder entry(builder);
  entry.add_type(mended.event->type());
  entry.add_agency(agency);
  entry.add_channel(channel);
  entry.add_person(&person);
  entry.add_journey(journey);
  entry.add_fingerprint(&fingerprint);
  entry.add_identity(&identity);
  entry.add_previous_of_person(mended.child.last);
  entry.add_marks(marks);
  entry.add_event(event);
  entry.add_mends(dead.sequence);
  entry.add_mended_for(mended_for);
  return context_.journal.append(
      {storage::EntryKind::event, mended.child.key_id, finish_body(builder, entry.Finish())}, now);
}

Result<void> Mending::offer(const Mended& mended, const Pending& dead, Sequence sequence, Timestamp now) {
  // One that has not reached the ledger's end finds it there, in its turn.
  if (mended.delivery->course().starting()) return {};
  Pending pending;
  pending.sequence = sequence;
  pending.person = dead.person;
  pending.policy_version = context_.disclosure.current().version();
  pending.offered_at = context_.disclosure.decided_at(now);
  pending.urgency = urgency_of(*mended.event);
  pending.type = mended.event->type();
  pending.late = true;
  mended.delivery->offer(pending, nullptr, mended.rule->legal_basis);
  return mended.delivery->write_records(now);
}

Mending::Checked Mending::mend(const Peer& peer, const wire::HandleDeadLetter& frame, const Pending& dead,
                               const std::string& by, Timestamp now, Decision& out) {
  Mended mended;
  auto refusal = prepare(frame, dead, now, mended);
  if (!refusal || *refusal) return refusal;
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  const auto sequence = record(mended, dead, now);
  if (auto offered = offer(mended, dead, sequence, now); !offered) return tl::unexpected(offered.error());
  ledger::OperatorActionT action;
  action.action = kMendAction;
  action.by = by;
  action.reason = text_of(frame.reason());
  action.sequence = dead.sequence;
  action.subscription = mended.delivery->subscription().name;
  action.detail = std::to_string(sequence);
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  // Folded now, so that the same dead letter cannot be mended twice in one step.
  const auto recorded =
      context_.journal.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  out.sends.push_back(
      {peer.connection, handled_frame(frame.number(), std::nullopt,
                                      "entry " + std::to_string(sequence) + " stands in for entry " +
                                          std::to_string(dead.sequence),
                                      recorded)});
  return std::optional<Refusal>();
}

}  // namespace carehub::core
