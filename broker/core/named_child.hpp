#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/core/state_reader.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::core {

/// Whom a typed text names: an identifier, or `sequence:` and the number of an event's entry.
struct NamedChild {
  bool well_formed = false;
  std::optional<PersonKey> person;  // whom the hub knows by it
  /// As an Access says it: the record or else the identifier's hash; in words the entry's number.
  std::optional<ledger::Key> written;
  std::string what;
};

/// Of a text that is neither nothing is told.
Result<NamedChild> named_child(const StateReader& state, const storage::SecretKey& index_key,
                               std::string_view typed);

}  // namespace carehub::core
