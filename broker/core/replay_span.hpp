#pragma once

#include <optional>

#include "broker/core/state_reader.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/wire_generated.h"

namespace carehub::core {

/// The entries that a replay looks at, both inclusive.
struct ReplaySpan {
  Sequence first = 0;
  Sequence last = 0;
};

/// What `first`, `last`, `first_at` and `last_at` of the frame leave of the ledger as it is now: nothing new
/// is a replay's. A time is the one at which the hub wrote the entry down. nullopt: no entry.
Result<std::optional<ReplaySpan>> replay_span(const StateReader& state, Sequence head,
                                              const wire::Replay& replay);

/// Whom the identifier names; `sequence:N` is the person of that entry. nullopt: nobody that the hub knows.
Result<std::optional<PersonKey>> person_named(const StateReader& state, const storage::SecretKey& index_key,
                                              const std::string& identifier);

}  // namespace carehub::core
