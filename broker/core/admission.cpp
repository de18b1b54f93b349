#include "broker/core/admission.hpp"

#include <algorithm>
#include <cstring>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/corrections.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/domain_checks.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/route.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::int64_t kAheadUs = 300 * kSecondUs;  // how far a sender's clock may be ahead

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

BytesView bytes_of(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes == nullptr ? BytesView() : BytesView(bytes->data(), bytes->size());
}

std::string bounded(std::string text, std::size_t bytes_max) {
  if (text.size() > bytes_max) text.resize(bytes_max);
  return text;
}

/// Parts behind their lengths, so that no two lists of parts look the same.
class Parts {
 public:
  Parts& add(BytesView part) {
    const auto size = static_cast<std::uint64_t>(part.size());
    for (unsigned shift = 0; shift < 64; shift += 8)
      bytes_.push_back(static_cast<std::uint8_t>((size >> shift) & 0xFFU));
    bytes_.insert(bytes_.end(), part.begin(), part.end());
    return *this;
  }
  Parts& add(std::string_view part) { return add(carehub::bytes_of(part)); }
  BytesView bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

wire::PublishOutcomeT unsealed_outcome(const wire::PublishItem& item) {
  wire::PublishOutcomeT outcome;
  outcome.number = item.number();
  outcome.outcome = wire::Outcome::failed;
  outcome.kind = wire::ErrorKind::unavailable;
  outcome.text = "the hub cannot seal new entries now: publish again later";
  return outcome;
}

bool about_a_stay(const event::Event& event) {
  if (event.type() == event::EventType::discharge) return true;
  const auto corrected = corrected_type(event);
  return corrected == event::EventType::admission || corrected == event::EventType::movement;
}

}  // namespace

struct Admission::Fault {
  ErrorKind kind = ErrorKind::invalid;
  std::string code;
  std::string place;
  std::string text;
};

struct Admission::Subject {
  const wire::PublishItem& item;
  Timestamp now;
  Decision& out;
  std::string agency;
  std::string channel;
  const Scope* scope = nullptr;
  Bytes bytes;  // of the event, aligned
  const event::Event* event = nullptr;
  PersonKey person;
  KeyId key_id;
  Sequence previous = 0;
  bool new_person = false;
  bool admitted = false;       // the person, before this event
  bool refused_anew = false;   // a Refusal was written
  bool original_kept = false;  // in it
  std::vector<KeyedHash> to_link;
  std::vector<ledger::Mark> marks;
};

wire::PublishOutcomeT Admission::refused_outcome(const wire::PublishItem& item, const Fault& fault) {
  wire::PublishOutcomeT outcome;
  outcome.number = item.number();
  outcome.outcome = wire::Outcome::refused;
  outcome.kind = to_wire(fault.kind);
  outcome.code = bounded(fault.code, limits::kNameBytesMax);
  outcome.place = bounded(fault.place, limits::kNameBytesMax);
  outcome.text = fault.text;
  return outcome;
}

Admission::Admission(const HubRules& rules, const StateReader& state, Journal& journal, storage::Vault& vault,
                     DayKeys& day_keys, Random& random, Counters& counters, RepeatCounts& repeats,
                     WorkNote& note, Admitted admitted)
    : state_(state),
      journal_(journal),
      vault_(vault),
      day_keys_(day_keys),
      random_(random),
      counters_(counters),
      repeats_(repeats),
      note_(note),
      admitted_(std::move(admitted)) {
  const auto secret = storage::keyed_hash(vault.index_key(), "what the hub is at");
  std::memcpy(&secret_, secret.bytes.data(), sizeof secret_);
  for (const auto& channel : rules.inbound) channels_.emplace(channel.name, channel);
  for (const auto& agency : rules.agencies) may_publish_.emplace(agency.id, agency.may_publish);
}

const InboundChannel* Admission::channel_of(const std::string& name) const {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : &found->second;
}

std::optional<Admission::Fault> Admission::size_fault(const wire::PublishItem& item) const {
  const auto too_large = [](const char* what, std::size_t max) {
    return Fault{ErrorKind::invalid, "too_large", what,
                 std::string("the ") + what + " is larger than " + std::to_string(max) + " bytes"};
  };
  if (bytes_of(item.event()).size() > limits::kEventBytesMax)
    return too_large("event", limits::kEventBytesMax);
  if (bytes_of(item.original()).size() > limits::kOriginalBytesMax) {
    return too_large("original", limits::kOriginalBytesMax);
  }
  if (bytes_of(item.identity()).size() > limits::kIdentityBytesMax) {
    return too_large("identity", limits::kIdentityBytesMax);
  }
  const auto hash = bytes_of(item.content_hash()).size();
  if (hash != 0 && hash != sizeof(Hash)) {
    return Fault{ErrorKind::invalid, "content_hash", "content_hash", "the content hash is not 32 bytes long"};
  }
  return std::nullopt;
}

std::optional<Admission::Fault> Admission::permission_fault(const Subject& subject) const {
  const auto& event = *subject.event;
  if (event.source_agency()->string_view() != subject.agency) {
    return Fault{
        ErrorKind::denied, "not_its_agency", "source_agency",
        "the event names another agency than the connection's: an agency publishes for itself alone"};
  }
  static const std::vector<event::EventType> kNothing;
  const auto types = may_publish_.find(subject.agency);
  auto fault =
      type_fault(subject.agency, types == may_publish_.end() ? kNothing : types->second, event.type());
  if (!fault) return std::nullopt;
  return Fault{ErrorKind::denied, std::move(fault->code), std::move(fault->place), std::move(fault->text)};
}

Result<wire::PublishOutcomeT> Admission::admit(const Peer& peer, const wire::PublishItem& item, Timestamp now,
                                               Decision& out) {
  ++counters_.received;
  Subject subject{
      item,    now,   out,     peer.agency, bounded(text_of(item.channel()), limits::kNameBytesMax),
      nullptr, {},    nullptr, {},          {},
      0,       false, false,   false,       false,
      {},      {}};
  const auto* channel = channel_of(subject.channel);
  const bool its_own = subject.channel.empty() || (channel != nullptr && channel->agency == peer.agency);
  if (peer.agency.empty() || !its_own) {
    ++counters_.refused;
    return refused_outcome(item, {ErrorKind::denied, "not_its_channel", "channel",
                                  "no inbound channel of this name belongs to the connection's agency"});
  }
  if (channel != nullptr) subject.scope = &channel->scope;
  const auto hash = hash_of(subject);
  if (const auto at_work = note_.begin({Step::admit, 0, hash})) return admit_item(subject);
  return go_round(subject, hash);
}

/// Of what a pack calls the same message, else of its bytes.
std::uint64_t Admission::hash_of(const Subject& subject) const {
  const auto& item = subject.item;
  const auto identity = bytes_of(item.identity());
  const auto content = bytes_of(item.content_hash());
  const auto agency = carehub::bytes_of(subject.agency);
  const auto channel = carehub::bytes_of(subject.channel);
  if (!identity.empty() && !content.empty())
    return hash_of_parts(secret_, {agency, channel, identity, content});
  return hash_of_parts(
      secret_, {agency, channel, identity, content, bytes_of(item.event()), bytes_of(item.original())});
}

/// The hub has fallen over this message, again and again: it is kept as it came, unless that is what it falls
/// over, too.
Result<wire::PublishOutcomeT> Admission::go_round(Subject& subject, std::uint64_t hash) {
  const Fault fault{ErrorKind::invalid, kHubFellOverCode, "event",
                    "the hub fell over this message again and again, and does not try it any more: its "
                    "operator has been told"};
  const auto tell = [&](const char* kept) {
    subject.out.alarms.push_back({"hub_falls_over", "channel " + subject.channel + " of " + subject.agency +
                                                        ": a message is refused, " + kept +
                                                        ", because the hub fell over it again and again"});
  };
  if (const auto at_work = note_.begin({Step::admit, 1, hash})) {
    auto refused = refuse(subject, fault);
    if (subject.refused_anew)
      tell(subject.original_kept ? "its original kept" : "its original too large to be kept");
    return refused;
  }
  tell("and not kept");
  ++counters_.refused;
  return refused_outcome(subject.item, fault);
}

Result<wire::PublishOutcomeT> Admission::admit_item(Subject& subject) {
  const auto& item = subject.item;
  if (const auto* problem = item.problem()) {
    auto refused = refuse(subject, {ErrorKind::invalid, text_of(problem->code()), text_of(problem->place()),
                                    bounded(text_of(problem->text()), limits::kErrorTextBytesMax)});
    if (subject.refused_anew) {
      subject.out.alarms.push_back(
          {"message_refused", "channel " + subject.channel + " of " + subject.agency +
                                  ": a message could not be mapped; its original is " +
                                  (subject.original_kept ? "kept" : "too large to be kept")});
    }
    return refused;
  }
  if (const auto fault = size_fault(item)) return refuse(subject, *fault);
  const auto bytes = bytes_of(item.event());
  subject.bytes.assign(bytes.begin(), bytes.end());
  subject.event = verified_event(subject.bytes);
  if (subject.event == nullptr) {
    return refuse(subject,
                  {ErrorKind::invalid, "not_an_event", "event", "the bytes are no Event of event.fbs"});
  }
  return admit_event(subject);
}

Result<wire::PublishOutcomeT> Admission::admit_event(Subject& subject) {
  const auto& event = *subject.event;
  if (const auto fault = permission_fault(subject)) return refuse(subject, *fault);
  const auto faults = check_event(event, subject.now);
  if (subject.scope != nullptr && scope_is_certain(faults)) {
    if (const auto why = out_of_scope(*subject.scope, event)) {
      ++counters_.not_kept;
      wire::PublishOutcomeT outcome;
      outcome.number = subject.item.number();
      outcome.outcome = wire::Outcome::not_kept;
      outcome.text = *why;
      return outcome;
    }
  }
  if (!faults.empty()) {
    return refuse(subject,
                  {ErrorKind::invalid, faults.front().code, faults.front().place, faults.front().text});
  }

  const auto given = bytes_of(subject.item.identity());
  const auto name = given.empty() ? carehub::bytes_of(event.id()->string_view()) : given;
  const auto hash = bytes_of(subject.item.content_hash());
  Parts parts;
  parts.add(subject.agency).add(subject.channel).add(name);
  const auto identity = storage::keyed_hash(vault_.index_key(), carehub::text_of(parts.bytes()));
  parts.add(hash.empty() ? BytesView(subject.bytes) : hash);
  const auto fingerprint = storage::keyed_fingerprint(vault_.index_key(), parts.bytes());
  auto known = state_.publication(fingerprint, identity);
  if (!known) return tl::unexpected(known.error());
  if (known->same != 0) {
    ++counters_.duplicates;
    repeats_.add(subject.agency, subject.channel);
    wire::PublishOutcomeT outcome;
    outcome.number = subject.item.number();
    outcome.outcome = wire::Outcome::duplicate;
    outcome.sequence = known->same;
    outcome.appended_at = known->appended_at.us;
    return outcome;
  }
  if (known->identity_seen) {
    if (subject.item.on_reuse() != wire::OnReuse::mark_and_keep) {
      return refuse(subject,
                    {ErrorKind::conflict, "id_conflict", "identity",
                     "this message's identity came before with other content: send it under its own"});
    }
    subject.marks.push_back(ledger::Mark::id_reused);
    subject.out.alarms.push_back(
        {"id_reused", "channel " + subject.channel + " of " + subject.agency +
                          ": a message id came again with other content; both are kept"});
  }
  return admit_new(subject, fingerprint, identity);
}

Result<wire::PublishOutcomeT> Admission::admit_new(Subject& subject, const Fingerprint& fingerprint,
                                                   const KeyedHash& identity) {
  if (auto found = find_person(subject); !found) {
    if (found.error().kind != ErrorKind::unavailable) return tl::unexpected(found.error());
    subject.out.alarms.push_back(
        {"vault_unavailable", "the vault cannot be extended: " + found.error().text});
    return unsealed_outcome(subject.item);
  }
  mark(subject);
  if (corrected_type(*subject.event) != event::EventType::unknown) {
    auto completed = completed_correction(*subject.event, subject.previous, state_);
    if (!completed) return tl::unexpected(completed.error());
    if (!completed->empty()) {
      subject.bytes = std::move(*completed);
      subject.event = event::GetEvent(subject.bytes.data());
    }
  }
  RecordedEvent recorded{record(subject, fingerprint, identity), subject.now, subject.person, subject.event};
  recorded.marks = subject.marks;
  recorded.channel = subject.channel;
  recorded.new_names = std::move(subject.to_link);
  if (auto routed = admitted_(recorded); !routed) return tl::unexpected(routed.error());
  wire::PublishOutcomeT outcome;
  outcome.number = subject.item.number();
  outcome.outcome = wire::Outcome::receipt;
  outcome.sequence = recorded.sequence;
  outcome.appended_at = subject.now.us;
  outcome.marks = subject.marks;
  return outcome;
}

Result<void> Admission::find_person(Subject& subject) {
  const auto& event = *subject.event;
  if (const auto unit = unit_key(vault_.index_key(), subject.agency, event)) {
    subject.person = *unit;
  } else if (auto found = find_child(subject); !found) {
    return found;
  }
  if (!subject.new_person) {
    auto record = state_.person(subject.person);
    if (!record) return tl::unexpected(record.error());
    if (*record) {
      subject.key_id = (*record)->key_id;
      subject.previous = (*record)->last;
      subject.admitted = (*record)->admitted;
      return {};
    }
  }
  auto minted = vault_.mint();
  if (!minted) return fail(ErrorKind::unavailable, minted.error().text);
  subject.key_id = *minted;
  subject.new_person = true;
  return {};
}

Result<void> Admission::find_child(Subject& subject) {
  std::vector<KeyedHash> identifiers;
  for (const auto& text : identifier_texts(*subject.event)) {
    const auto hash = identifier_hash(vault_.index_key(), text);
    if (std::find(identifiers.begin(), identifiers.end(), hash) == identifiers.end())
      identifiers.push_back(hash);
  }
  auto linked = state_.linked(identifiers);
  if (!linked) return tl::unexpected(linked.error());
  std::optional<PersonKey> found;
  for (std::size_t at = 0; at < identifiers.size(); ++at) {
    const auto& person = (*linked)[at];
    if (!person) {
      subject.to_link.push_back(identifiers[at]);
    } else if (!found) {
      found = person;
    } else if (*found != *person) {
      // Two children, or one with two records: a person decides, never the hub.
      if (std::find(subject.marks.begin(), subject.marks.end(), ledger::Mark::identity_conflict) ==
          subject.marks.end()) {
        subject.marks.push_back(ledger::Mark::identity_conflict);
      }
    }
  }
  if (identifiers.empty()) subject.marks.push_back(ledger::Mark::person_unidentified);
  if (found) {
    subject.person = *found;
  } else {
    random_.fill(subject.person.bytes);
    subject.new_person = true;
  }
  return {};
}

void Admission::mark(Subject& subject) {
  const auto& event = *subject.event;
  if (about_a_stay(event) && !subject.admitted) subject.marks.push_back(ledger::Mark::before_admission);
  if (event.occurred_at() != nullptr && event.occurred_at()->utc_us() > subject.now.us + kAheadUs) {
    subject.marks.push_back(ledger::Mark::occurred_in_future);
    subject.out.alarms.push_back({"occurred_in_future", "channel " + subject.channel + " of " +
                                                            subject.agency +
                                                            ": its clock is more than five minutes ahead"});
  }
}

Sequence Admission::record(const Subject& subject, const Fingerprint& fingerprint,
                           const KeyedHash& identity) {
  constexpr std::size_t kAlignment = 8;
  flatbuffers::FlatBufferBuilder builder(subject.bytes.size() + 1024);
  const auto agency = builder.CreateString(subject.agency);
  const auto channel = builder.CreateString(subject.channel);
  const auto journey = builder.CreateString(text_of(subject.event->journey()));
  const auto media_type =
      builder.CreateString(bounded(text_of(subject.item.original_media_type()), limits::kNameBytesMax));
  std::vector<ledger::Key> to_link;
  to_link.reserve(subject.to_link.size());
  for (const auto& identifier : subject.to_link) to_link.push_back(to_ledger(identifier));
  const auto identifiers = builder.CreateVectorOfStructs(to_link);
  const auto marks = builder.CreateVector(subject.marks);
  builder.ForceVectorAlignment(subject.bytes.size(), sizeof(std::uint8_t), kAlignment);
  const auto event = builder.CreateVector(subject.bytes);
  const auto original_bytes = bytes_of(subject.item.original());
  const auto original = builder.CreateVector(original_bytes.data(), original_bytes.size());
  const auto person = to_ledger(subject.person);
  const auto print = to_ledger(fingerprint);
  const auto seen_as = to_ledger(identity);
  const auto entry = ledger::CreateEventEntry(
      builder, subject.event->type(), agency, channel, &person, journey, &print, &seen_as, subject.previous,
      identifiers, marks, event, original, subject.item.original_codec(), media_type, subject.new_person);
  return journal_.append({storage::EntryKind::event, subject.key_id, finish_body(builder, entry)},
                         subject.now);
}

/// A refused message is known again by what the pack calls the same one, and by why it was refused: the
/// configuration may have changed since, and then it is decided anew. None without an identity.
std::optional<Fingerprint> Admission::refusal_fingerprint(const Subject& subject, const Fault& fault) const {
  const auto& item = subject.item;
  auto name = bytes_of(item.identity());
  if (name.empty() && subject.event != nullptr) name = carehub::bytes_of(subject.event->id()->string_view());
  // Of what the hub fell over nothing has been read: its bytes say that it is the same.
  if (name.empty() && fault.code != kHubFellOverCode) return std::nullopt;
  if (name.size() > limits::kIdentityBytesMax) return std::nullopt;
  auto content = bytes_of(item.content_hash());
  if (content.empty()) content = bytes_of(item.event());
  if (content.empty()) content = bytes_of(item.original());
  Parts parts;
  parts.add("refusal").add(subject.agency).add(subject.channel).add(name).add(content);
  parts.add(bounded(fault.code, limits::kNameBytesMax)).add(bounded(fault.place, limits::kNameBytesMax));
  return storage::keyed_fingerprint(vault_.index_key(), parts.bytes());
}

Result<Admission::Recorded> Admission::record_refusal(Subject& subject, const Fault& fault,
                                                      const std::optional<Fingerprint>& fingerprint) {
  ledger::RefusalT refusal;
  refusal.agency = subject.agency;
  refusal.channel = subject.channel;
  refusal.code = bounded(fault.code, limits::kNameBytesMax);
  refusal.place = bounded(fault.place, limits::kNameBytesMax);
  refusal.text = fault.text;
  if (fingerprint) refusal.fingerprint = std::make_unique<ledger::Fingerprint>(to_ledger(*fingerprint));
  if (subject.event != nullptr)
    refusal.message_id = bounded(text_of(subject.event->source_message_id()), limits::kNameBytesMax);
  // What came without an original is kept as it was sent: the event itself.
  auto original = bytes_of(subject.item.original());
  refusal.original_codec = subject.item.original_codec();
  refusal.original_media_type = bounded(text_of(subject.item.original_media_type()), limits::kNameBytesMax);
  if (original.empty()) {
    original = bytes_of(subject.item.event());
    refusal.original_codec = 0;
    refusal.original_media_type = "application/x-flatbuffers; schema=event.fbs";
  }
  refusal.kept = !original.empty() && original.size() <= limits::kOriginalBytesMax;
  subject.original_kept = refusal.kept || original.empty();
  if (refusal.kept) refusal.original.assign(original.begin(), original.end());
  // What keeps a message can be erased by itself.
  auto key = refusal.kept ? vault_.mint()
                          : day_keys_.key(refusal_purpose(subject.agency, subject.channel), subject.now);
  if (!key) return tl::unexpected(key.error());
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Refusal::Pack(builder, &refusal));
  return Recorded{journal_.append({storage::EntryKind::refusal, *key, std::move(body)}, subject.now),
                  subject.now};
}

Result<wire::PublishOutcomeT> Admission::refuse(Subject& subject, const Fault& fault) {
  const auto fingerprint = refusal_fingerprint(subject, fault);
  Recorded recorded;
  if (fingerprint) {
    auto known = state_.publication(*fingerprint, {});
    if (!known) return tl::unexpected(known.error());
    recorded = {known->same, known->appended_at};
  }
  if (recorded.sequence != 0) {
    ++counters_.duplicates;
    repeats_.add(subject.agency, subject.channel);
  } else {
    ++counters_.refused;
    auto written = record_refusal(subject, fault, fingerprint);
    if (!written && written.error().kind != ErrorKind::unavailable) return tl::unexpected(written.error());
    if (!written) return unsealed_outcome(subject.item);
    recorded = *written;
    subject.refused_anew = true;
  }
  auto outcome = refused_outcome(subject.item, fault);
  outcome.sequence = recorded.sequence;
  outcome.appended_at = recorded.appended_at.us;
  return outcome;
}

}  // namespace carehub::core
