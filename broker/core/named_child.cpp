#include "broker/core/named_child.hpp"

#include <charconv>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/replay_span.hpp"

namespace carehub::core {
namespace {

constexpr std::string_view kBySequence = "sequence:";

/// 0: it is no entry's number.
Sequence sequence_in(std::string_view text) {
  Sequence number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Result<NamedChild> named_child(const StateReader& state, const storage::SecretKey& index_key,
                               std::string_view typed) {
  NamedChild named;
  if (typed.starts_with(kBySequence)) {
    const auto sequence = sequence_in(typed.substr(kBySequence.size()));
    if (sequence == 0) return named;
    named.what = std::string(kBySequence) + std::to_string(sequence);
  } else {
    const auto canonical = canonical_identifier(typed);
    if (!canonical) return named;
    named.written = to_ledger(identifier_hash(index_key, *canonical));
  }
  named.well_formed = true;
  auto person = person_named(state, index_key, std::string(typed));
  if (!person) return tl::unexpected(person.error());
  named.person = *person;
  if (named.person) named.written = to_ledger(*named.person);
  return named;
}

}  // namespace carehub::core
