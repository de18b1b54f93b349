#include "broker/core/erasures.hpp"

#include <algorithm>
#include <charconv>

#include "broker/base/event_fields.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/wire_frames.hpp"
#include "broker/storage/sealer.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kTextSoughtMin = 6;  // a shorter number stands in many messages by chance
constexpr std::size_t kCopiesNamedMax = 8;
constexpr std::size_t kRefusedNamedMax = 64;
constexpr const char* kOnePerson = "all that is about one person";
constexpr const char* kEventMediaType = "application/x-flatbuffers; schema=event.fbs";

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

void add_number(const flatbuffers::String* number, std::vector<std::string>& texts) {
  const auto parsed =
      number == nullptr ? std::nullopt : std::optional(NhsNumber::parse(number->string_view()));
  if (parsed && *parsed) texts.push_back("nhs:" + (*parsed)->text());
}

void add_all(const flatbuffers::Vector<flatbuffers::Offset<event::Identifier>>* identifiers,
             const event::Event& event, std::vector<std::string>& texts) {
  if (identifiers == nullptr) return;
  for (const auto* each : *identifiers) {
    if (each->value() == nullptr || each->value()->size() == 0) continue;
    const bool issued = each->issuer() != nullptr && each->issuer()->size() > 0;
    texts.push_back("local:" + (issued ? each->issuer() : event.source_agency())->str() + ":" +
                    each->value()->str());
    add_number(each->value(), texts);
  }
}

/// An issuer may be a URI, with colons of its own.
std::string_view value_of(std::string_view name) {
  constexpr std::string_view kLocal = "local:";
  if (!name.starts_with(kLocal)) return name.substr(std::min(name.size(), name.find(':') + 1));
  const auto rest = name.substr(kLocal.size());
  const bool uri = rest.starts_with("urn:") || rest.substr(0, rest.find(':') + 3).ends_with("://");
  const auto issuer_end = uri ? rest.rfind(':') : rest.find(':');
  return issuer_end == std::string_view::npos ? std::string_view() : rest.substr(issuer_end + 1);
}

bool is_digit(char each) { return each >= '0' && each <= '9'; }
bool is_of_word(char each) {
  return is_digit(each) || (each >= 'A' && each <= 'Z') || (each >= 'a' && each <= 'z');
}

/// Whether a word that may hold dashes ends before `at`, or begins there: of a longer one, or of a number
/// with a fraction, a part says nothing.
bool is_edge(std::string_view text, std::size_t at, bool dashes) {
  const auto before = at == 0 ? ' ' : text[at - 1];
  const auto behind = at == text.size() ? ' ' : text[at];
  const auto of_word = [&](char each) {
    return is_of_word(each) || (dashes && (each == '-' || each == '_'));
  };
  if (of_word(before) && of_word(behind)) return false;
  const auto fraction = [&](std::size_t point) {
    return point > 0 && point + 1 < text.size() && text[point] == '.' && is_digit(text[point - 1]) &&
           is_digit(text[point + 1]);
  };
  return !fraction(at) && (at == 0 || !fraction(at - 1));
}

/// Where the value ends that begins at `at`, if it does; spaces and dashes in between pass where it is
/// `loose`.
std::size_t end_of(std::string_view value, std::string_view text, std::size_t at, bool loose) {
  std::size_t matched = 0;
  for (; at < text.size() && matched < value.size(); ++at) {
    if (text[at] == value[matched]) {
      ++matched;
    } else if (!loose || matched == 0 || (text[at] != ' ' && text[at] != '-')) {
      break;
    }
  }
  return matched == value.size() ? at : std::string_view::npos;
}

/// What many have in common, such as UNKNOWN or 000000, tells nobody apart.
bool tells_apart(std::string_view value) {
  return value.size() >= kTextSoughtMin && std::ranges::any_of(value, is_digit) &&
         value.find_first_not_of(value.front()) != std::string_view::npos;
}

bool stands_in(std::string_view text, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](const std::string& name) {
    const auto value = value_of(name);
    if (!tells_apart(value)) return false;
    const bool checked = !name.starts_with("local:");
    for (auto at = text.find(value.front()); at != std::string_view::npos;
         at = text.find(value.front(), at + 1)) {
      const auto end = end_of(value, text, at, checked);
      if (end == std::string_view::npos) continue;
      if (is_edge(text, at, !checked) && is_edge(text, end, !checked)) return true;
    }
    return false;
  });
}

wire::ErasedT refusal(std::uint64_t number, ErrorKind kind, std::string text) {
  wire::ErasedT erased;
  erased.number = number;
  erased.error = to_wire(kind);
  erased.text = std::move(text);
  return erased;
}

void add_part(std::string& text, const std::string& part) {
  if (part.empty()) return;
  text += (text.empty() ? "" : "; ") + part;
}

/// What names the person, or may, and stays.
std::string rest_of(const ErasureFindings& findings) {
  auto rest = findings.stays;
  if (findings.refusals_kept > 0) {
    add_part(rest, std::to_string(findings.refusals_kept) +
                       " refused messages stay: others' are sealed under the same keys");
  }
  if (findings.refusals_unread > 0) {
    add_part(rest, std::to_string(findings.refusals_unread) +
                       " refused messages cannot be unpacked, so whom they name is not known: they stay");
  }
  return rest;
}

std::string list_of(const std::vector<Sequence>& sequences) {
  std::string list;
  for (std::size_t at = 0; at < sequences.size() && at < kRefusedNamedMax; ++at)
    list += (at == 0 ? "" : ", ") + std::to_string(sequences[at]);
  if (sequences.size() > kRefusedNamedMax)
    list += " and " + std::to_string(sequences.size() - kRefusedNamedMax) + " more";
  return list;
}

wire::ErasedT counts(const ErasureFindings& findings, std::uint64_t number) {
  wire::ErasedT erased;
  erased.number = number;
  erased.events = findings.events;
  erased.refusals = findings.refusals;
  erased.identifiers = findings.names.size();
  erased.shared = findings.shared;
  if (erased.shared.size() > limits::kQueryRowsMax) erased.shared.resize(limits::kQueryRowsMax);
  if (findings.people.size() > 1)
    erased.text = std::to_string(findings.people.size()) + " records that the hub was told are one person";
  if (!findings.refused.empty())
    add_part(erased.text, "the refused messages are entries " + list_of(findings.refused));
  add_part(erased.text, rest_of(findings));
  return erased;
}

template <class List, class Item>
void add_new(List& list, const Item& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

}  // namespace

std::vector<std::string> linked_identifier_texts(const event::Event& event) {
  auto texts = identifier_texts(event);
  if (const auto* link = event.identity_link()) add_all(link->identifiers(), event, texts);
  if (const auto* merge = event.identity_merge()) {
    add_all(merge->surviving(), event, texts);
    add_all(merge->retired(), event, texts);
    add_number(merge->surviving_nhs_number(), texts);
    add_number(merge->retired_nhs_number(), texts);
  }
  return texts;
}

bool takes_back_a_link(const event::Event& event) {
  const auto reversed = [](const auto* table) {
    return table != nullptr && table->reversed() == event::Answer::yes;
  };
  return reversed(event.identity_link()) || reversed(event.identity_merge());
}

Naming names_any(const ledger::Refusal& refusal, const std::vector<std::string>& names) {
  const auto named = [](bool is_named) { return is_named ? Naming::yes : Naming::no; };
  if (refusal.original() == nullptr || names.empty()) return Naming::no;
  const BytesView stored(refusal.original()->data(), refusal.original()->size());
  Bytes original(stored.begin(), stored.end());
  if (refusal.original_codec() > 1) return Naming::unread;
  if (refusal.original_codec() == 1) {
    auto plain = storage::decompress(stored, limits::kOriginalBytesMax);
    if (!plain) return Naming::unread;
    original = std::move(*plain);
  }
  if (text_of(refusal.original_media_type()) == kEventMediaType) {
    if (const auto* event = verified_event(original)) {
      const auto texts = linked_identifier_texts(*event);
      return named(std::ranges::any_of(
          texts, [&](const auto& text) { return std::ranges::find(names, text) != names.end(); }));
    }
  }
  return named(stands_in(carehub::text_of(original), names));
}

/// Whom an erasure is about, as an Access says it: the record or the identifier's hash, or the entry's number
/// in front of the words. Of a text that is none of these nothing is told.
Result<Erasures::Whom> Erasures::whom(std::string_view typed) const {
  constexpr std::string_view kBySequence = "sequence:";
  if (typed.starts_with(kBySequence)) {
    Sequence number = 0;
    const auto text = typed.substr(kBySequence.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return Whom{kOnePerson, nullptr};
    return Whom{std::string(kBySequence) + std::to_string(number) + " " + kOnePerson, nullptr};
  }
  const auto canonical = canonical_identifier(typed);
  if (!canonical) return Whom{kOnePerson, nullptr};
  const auto hash = identifier_hash(context_.index_key, *canonical);
  auto linked = context_.state.linked({hash});
  if (!linked) return tl::unexpected(linked.error());
  const auto& person = linked->front();
  return Whom{kOnePerson, std::make_unique<ledger::Key>(person ? to_ledger(*person) : to_ledger(hash))};
}

Result<void> Erasures::ask(const Peer& peer, const wire::Erase& frame, Timestamp now, Decision& out) {
  const char* verb = frame.preview() ? "erase preview" : "erase";
  const auto refuse = [&](ErrorKind kind, const char* why) -> Result<void> {
    out.sends.push_back({peer.connection, erased_frame(refusal(frame.number(), kind, why))});
    if (!refused_.tells(peer, now)) return refused_.add(peer, {}, now);
    const bool fits = frame.person() != nullptr && frame.person()->size() <= limits::kErrorTextBytesMax;
    auto about = whom(fits ? frame.person()->string_view() : std::string_view());
    if (!about) return tl::unexpected(about.error());
    Wish wish{verb, {}, frame.by(), frame.reason(), std::move(about->person)};
    wish.what.add(about->what);
    return refused_.add(peer, std::move(wish), why, now);
  };
  if (!peer.is_operator) return refuse(ErrorKind::denied, "only an operator's connection erases");
  for (const auto* text : {frame.person(), frame.by(), frame.reason()}) {
    if (text != nullptr && text->size() > limits::kErrorTextBytesMax)
      return refuse(ErrorKind::invalid, "a text of the frame is too long");
  }
  if (text_of(frame.person()).empty())
    return refuse(ErrorKind::invalid, "say whom: nhs:, upn:, local: or sequence:");
  if (!frame.preview() && text_of(frame.reason()).empty())
    return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  if (!frame.preview() && text_of(frame.by()).empty())
    return refuse(ErrorKind::invalid, "say who has decided it: it is recorded");
  auto about = whom(frame.person()->string_view());
  if (!about) return tl::unexpected(about.error());
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::AccessT access;
  access.verb = verb;
  access.by = asker(peer, text_of(frame.by()));
  access.reason = text_of(frame.reason());
  access.what = std::move(about->what);
  access.person = std::move(about->person);
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  context_.journal.append({storage::EntryKind::access, *key, std::move(body)}, now);
  AskErasure ask{peer, {}};
  frame.UnPackTo(&ask.erase);
  out.erasures.push_back(std::move(ask));
  return {};
}

/// What came in since the search looked, and who has been erased meanwhile. Of somebody who turned up since
/// then nothing was looked through: neither what else they are called, nor who else they are.
Result<bool> Erasures::look_at_the_newest(ErasureFindings& findings, Sequence head) const {
  for (const auto& name : findings.names) {
    auto linked = context_.state.linked({identifier_hash(context_.index_key, name)});
    if (!linked) return tl::unexpected(linked.error());
    const auto& person = linked->front();
    if (person && std::ranges::find(findings.people, *person) == findings.people.end()) return false;
  }
  std::vector<PersonKey> there;
  for (const auto& person : findings.people) {
    auto record = context_.state.person(person);
    if (!record) return tl::unexpected(record.error());
    if (!*record) continue;
    there.push_back(person);
    add_new(findings.keys, (*record)->key_id);
  }
  findings.people = std::move(there);
  for (auto sequence = findings.through + 1; sequence <= head; ++sequence) {
    const auto stored = context_.state.body(sequence);
    if (!stored) return tl::unexpected(stored.error());
    if (stored->bytes.empty()) continue;
    const auto* body = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data());
    if (const auto* refused = body->entry_as_Refusal(); refused != nullptr && refused->kept()) {
      const auto naming = names_any(*refused, findings.names);
      if (naming == Naming::unread) ++findings.refusals_unread;
      if (naming != Naming::yes) continue;
      ++findings.refusals;
      findings.refused.push_back(sequence);
      add_new(findings.keys, stored->key_id);
    }
    const auto* entry = body->entry_as_EventEntry();
    if (entry == nullptr || entry->person() == nullptr || entry->event() == nullptr) continue;
    const auto taken = take_newest_event(findings, *stored, *entry);
    if (!taken || !*taken) return taken;
  }
  return true;
}

/// One that names others, or that somebody else's names, may say who the person is.
Result<bool> Erasures::take_newest_event(ErasureFindings& findings, const StoredBody& stored,
                                         const ledger::EventEntry& entry) const {
  const Bytes bytes(entry.event()->begin(), entry.event()->end());
  const auto* event = verified_event(bytes);
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(findings.names, name) != findings.names.end();
  };
  const bool links =
      event != nullptr && (event->identity_link() != nullptr || event->identity_merge() != nullptr);
  if (links && std::ranges::any_of(linked_identifier_texts(*event), is_known)) return false;
  const auto person = key_from<PersonKey>(*entry.person());
  if (std::ranges::find(findings.people, person) == findings.people.end()) return true;
  for (const auto& name : event == nullptr ? std::vector<std::string>() : identifier_texts(*event)) {
    if (is_known(name)) continue;
    auto linked = context_.state.linked({identifier_hash(context_.index_key, name)});
    if (!linked) return tl::unexpected(linked.error());
    if (linked->front() == person) return false;
  }
  ++findings.events;
  add_new(findings.keys, stored.key_id);
  return true;
}

/// One for each record of the child; the first says which keys go. That it is complete is said by one more,
/// once it is.
Result<Sequence> Erasures::record(const Destruction& destruction, bool complete, Timestamp now) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  Sequence recorded = 0;
  const auto& people = destruction.people;
  for (std::size_t at = 0; at == 0 || (at < people.size() && !complete); ++at) {
    ledger::ErasureT erasure;
    if (at < people.size()) erasure.person = std::make_unique<ledger::Key>(to_ledger(people[at]));
    erasure.reason = destruction.reason;
    erasure.by = destruction.by;
    if (at == 0) {
      for (const auto& id : destruction.keys) erasure.keys.push_back(to_ledger(id));
    }
    erasure.complete = complete;
    flatbuffers::FlatBufferBuilder builder;
    auto body = finish_body(builder, ledger::Erasure::Pack(builder, &erasure));
    const auto sequence = context_.journal.append({storage::EntryKind::erasure, *key, std::move(body)}, now);
    if (at == 0) recorded = sequence;
  }
  return recorded;
}

/// Right behind the Erasures, where it is found when that one is asked for again.
Result<void> Erasures::record_rest(const Destruction& destruction, const std::string& rest, Timestamp now) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::OperatorActionT action;
  action.action = kErasureLeftAction;
  action.by = destruction.by;
  action.reason = destruction.reason;
  action.sequence = destruction.answer.sequence;
  action.detail = rest;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  context_.journal.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  return {};
}

Result<void> Erasures::erase(const AskErasure& ask, ErasureFindings findings, Sequence head, Timestamp now,
                             Decision& out) {
  const auto number = ask.erase.number;
  const auto refuse = [&](ErrorKind kind, const char* why) {
    out.sends.push_back({ask.peer.connection, erased_frame(refusal(number, kind, why))});
    return Result<void>();
  };
  for (const auto& delivery : deliveries_.all()) {
    if (auto written = delivery->write_records(now); !written) return written;
  }
  if (!findings.again) {
    auto looked = look_at_the_newest(findings, head);
    if (!looked) return tl::unexpected(looked.error());
    if (!*looked) {
      return refuse(ErrorKind::overloaded,
                    "just now something came in that says more of who this is: ask again");
    }
  }
  if (findings.keys.empty())
    return refuse(ErrorKind::not_found, "the hub holds nothing that can be erased for this identifier");
  auto answer = counts(findings, number);
  if (ask.erase.preview) {
    out.sends.push_back({ask.peer.connection, erased_frame(answer)});
    return {};
  }
  const auto rest = rest_of(findings);
  Destruction destruction{ask.peer,
                          std::move(findings.keys),
                          std::move(answer),
                          std::move(findings.people),
                          asker(ask.peer, ask.erase.by),
                          ask.erase.reason,
                          rest.empty()};
  auto recorded = record(destruction, false, now);
  if (!recorded) return tl::unexpected(recorded.error());
  destruction.answer.sequence = *recorded;
  if (!rest.empty()) {
    if (auto told = record_rest(destruction, rest, now); !told) return told;
  }
  for (const auto& delivery : deliveries_.all()) {
    for (const auto& person : destruction.people) delivery->forget(person, now);
  }
  out.destructions.push_back(std::move(destruction));
  return {};
}

Result<void> Erasures::conclude(Destruction destruction, const std::vector<std::string>& copies,
                                Timestamp now, Decision& out) {
  auto& answer = destruction.answer;
  answer.complete = copies.empty() && destruction.all;
  for (std::size_t at = 0; at < copies.size() && at < kCopiesNamedMax; ++at)
    add_part(answer.text, "an older copy of the vault: " + copies[at]);
  if (copies.size() > kCopiesNamedMax)
    answer.text += "; and " + std::to_string(copies.size() - kCopiesNamedMax) + " more";
  if (answer.complete) {
    if (auto recorded = record(destruction, true, now); !recorded) return tl::unexpected(recorded.error());
  }
  out.sends.push_back({destruction.peer.connection, erased_frame(answer)});
  return {};
}

}  // namespace carehub::core
