#include "broker/core/erasures.hpp"

#include <algorithm>

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

std::string_view value_of(std::string_view name) {
  if (!name.starts_with("local:")) return name.substr(std::min(name.size(), name.find(':') + 1));
  const auto issuer_end = name.find(':', std::string_view("local:").size());
  return issuer_end == std::string_view::npos ? std::string_view() : name.substr(issuer_end + 1);
}

bool stands_in(std::string_view text, const std::vector<std::string>& names) {
  std::string tight;
  std::ranges::copy_if(text, std::back_inserter(tight), [](char each) { return each != ' ' && each != '-'; });
  return std::ranges::any_of(names, [&](const std::string& name) {
    const auto value = value_of(name);
    return value.size() >= kTextSoughtMin &&
           (text.find(value) != std::string_view::npos || tight.find(value) != std::string::npos);
  });
}

wire::ErasedT refusal(std::uint64_t number, ErrorKind kind, std::string text) {
  wire::ErasedT erased;
  erased.number = number;
  erased.error = to_wire(kind);
  erased.text = std::move(text);
  return erased;
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
  if (findings.refusals_kept > 0) {
    erased.text += (erased.text.empty() ? "" : "; ") + std::to_string(findings.refusals_kept) +
                   " refused messages stay: others' are sealed under the same keys";
  }
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

bool names_any(const ledger::Refusal& refusal, const std::vector<std::string>& names) {
  if (refusal.original() == nullptr || names.empty()) return false;
  const BytesView stored(refusal.original()->data(), refusal.original()->size());
  Bytes original(stored.begin(), stored.end());
  if (refusal.original_codec() == 1) {
    auto plain = storage::decompress(stored, limits::kOriginalBytesMax);
    if (!plain) return false;
    original = std::move(*plain);
  }
  if (text_of(refusal.original_media_type()) == kEventMediaType) {
    if (const auto* event = verified_event(original)) {
      const auto texts = linked_identifier_texts(*event);
      return std::ranges::any_of(
          texts, [&](const auto& text) { return std::ranges::find(names, text) != names.end(); });
    }
  }
  return stands_in(carehub::text_of(original), names);
}

Result<void> Erasures::ask(const Peer& peer, const wire::Erase& frame, Timestamp now, Decision& out) {
  const auto refuse = [&](ErrorKind kind, const char* why) {
    out.sends.push_back({peer.connection, erased_frame(refusal(frame.number(), kind, why))});
    return Result<void>();
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
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::AccessT access;
  access.verb = frame.preview() ? "erase preview" : "erase";
  access.by = asker(peer, text_of(frame.by()));
  access.reason = text_of(frame.reason());
  access.what = "all that is about one person";
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  context_.journal.append({storage::EntryKind::access, *key, std::move(body)}, now);
  AskErasure ask{peer, {}};
  frame.UnPackTo(&ask.erase);
  out.erasures.push_back(std::move(ask));
  return {};
}

/// What came in since the search looked, and who has been erased meanwhile.
Result<void> Erasures::look_at_the_newest(ErasureFindings& findings, Sequence head) const {
  for (const auto& name : findings.names) {
    auto linked = context_.state.linked({identifier_hash(context_.index_key, name)});
    if (!linked) return tl::unexpected(linked.error());
    // Of its own identifiers alone: whom a link names was decided by the search.
    if (linked->front() && findings.people.empty()) findings.people.push_back(*linked->front());
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
    if (const auto* refused = body->entry_as_Refusal()) {
      if (!refused->kept() || !names_any(*refused, findings.names)) continue;
      ++findings.refusals;
      add_new(findings.keys, stored->key_id);
    }
    const auto* event = body->entry_as_EventEntry();
    if (event == nullptr || event->person() == nullptr) continue;
    const auto person = key_from<PersonKey>(*event->person());
    if (std::ranges::find(findings.people, person) == findings.people.end()) continue;
    ++findings.events;
    add_new(findings.keys, stored->key_id);
  }
  return {};
}

Result<Sequence> Erasures::record(const AskErasure& ask, const ErasureFindings& findings, bool complete,
                                  Timestamp now) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  Sequence recorded = 0;
  // One for each record of the child; the first says which keys go.
  for (std::size_t at = 0; at == 0 || at < findings.people.size(); ++at) {
    ledger::ErasureT erasure;
    if (at < findings.people.size())
      erasure.person = std::make_unique<ledger::Key>(to_ledger(findings.people[at]));
    erasure.reason = ask.erase.reason;
    erasure.by = asker(ask.peer, ask.erase.by);
    if (at == 0) {
      for (const auto& id : findings.keys) erasure.keys.push_back(to_ledger(id));
    }
    erasure.complete = complete;
    flatbuffers::FlatBufferBuilder builder;
    auto body = finish_body(builder, ledger::Erasure::Pack(builder, &erasure));
    const auto sequence = context_.journal.append({storage::EntryKind::erasure, *key, std::move(body)}, now);
    if (at == 0) recorded = sequence;
  }
  return recorded;
}

Result<void> Erasures::erase(const AskErasure& ask, ErasureFindings findings, Sequence head, Timestamp now,
                             Decision& out) {
  const auto number = ask.erase.number;
  for (const auto& delivery : deliveries_.all()) {
    if (auto written = delivery->write_records(now); !written) return written;
  }
  if (!findings.again) {
    if (auto looked = look_at_the_newest(findings, head); !looked) return looked;
  }
  if (findings.keys.empty()) {
    out.sends.push_back(
        {ask.peer.connection, erased_frame(refusal(number, ErrorKind::not_found,
                                                   "the hub holds nothing that can be erased for this "
                                                   "identifier"))});
    return {};
  }
  auto answer = counts(findings, number);
  if (ask.erase.preview) {
    out.sends.push_back({ask.peer.connection, erased_frame(answer)});
    return {};
  }
  const auto copies = vault_.copies_with(findings.keys);
  answer.complete = copies.empty() && findings.refusals_kept == 0;
  auto recorded = record(ask, findings, answer.complete, now);
  if (!recorded) return tl::unexpected(recorded.error());
  answer.sequence = *recorded;
  for (std::size_t at = 0; at < copies.size() && at < kCopiesNamedMax; ++at)
    answer.text += (answer.text.empty() ? "" : "; ") + ("an older copy of the vault: " + copies[at]);
  if (copies.size() > kCopiesNamedMax)
    answer.text += "; and " + std::to_string(copies.size() - kCopiesNamedMax) + " more";
  for (const auto& delivery : deliveries_.all()) {
    for (const auto& person : findings.people) delivery->forget(person);
  }
  out.destructions.push_back({ask.peer, std::move(findings.keys), std::move(answer)});
  return {};
}

}  // namespace carehub::core
