#include "broker/core/replay_span.hpp"

#include <algorithm>
#include <charconv>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/identity.hpp"

namespace carehub::core {
namespace {

constexpr std::string_view kBySequence = "sequence:";

Result<std::optional<PersonKey>> person_of_entry(const StateReader& state, std::string_view number) {
  Sequence sequence = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), sequence);
  if (error != std::errc() || end != number.data() + number.size()) return std::optional<PersonKey>();
  const auto stored = state.body(sequence);
  if (!stored && stored.error().kind == ErrorKind::not_found) return std::optional<PersonKey>();
  if (!stored) return tl::unexpected(stored.error());
  if (stored->bytes.empty()) return std::optional<PersonKey>();
  const auto* entry = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
  if (entry == nullptr || entry->person() == nullptr) return std::optional<PersonKey>();
  return std::optional(key_from<PersonKey>(*entry->person()));
}

}  // namespace

Result<std::optional<ReplaySpan>> replay_span(const StateReader& state, Sequence head,
                                              const wire::Replay& replay) {
  ReplaySpan span;
  span.first = std::max<Sequence>(replay.first(), 1);
  span.last = replay.last() == 0 ? head : std::min(replay.last(), head);
  if (replay.first_at() != 0) {
    auto since = first_entry_since(state, head, {replay.first_at()});
    if (!since) return tl::unexpected(since.error());
    span.first = std::max(span.first, *since);
  }
  if (replay.last_at() != 0) {
    auto behind = first_entry_since(state, head, {replay.last_at() + 1});
    if (!behind) return tl::unexpected(behind.error());
    span.last = std::min(span.last, *behind - 1);
  }
  if (span.first > span.last) return std::optional<ReplaySpan>();
  return std::optional(span);
}

Result<std::optional<PersonKey>> person_named(const StateReader& state, const storage::SecretKey& index_key,
                                              const std::string& identifier) {
  if (std::string_view(identifier).starts_with(kBySequence)) {
    return person_of_entry(state, std::string_view(identifier).substr(kBySequence.size()));
  }
  const auto canonical = canonical_identifier(identifier);
  if (!canonical) return std::optional<PersonKey>();
  auto linked = state.linked({identifier_hash(index_key, *canonical)});
  if (!linked) return tl::unexpected(linked.error());
  return linked->front();
}

}  // namespace carehub::core
