#pragma once

#include <algorithm>

#include "broker/base/ids.hpp"
#include "schemas/ledger_generated.h"

/// Keys and fingerprints as ledger.fbs holds them, and back.
namespace carehub {

template <class Tag>
ledger::Key to_ledger(const Key16<Tag>& key) {
  return ledger::Key(flatbuffers::span<const std::uint8_t, 16>(key.bytes.data(), key.bytes.size()));
}

template <class Key>
Key key_from(const ledger::Key& key) {
  Key result;
  std::copy(key.bytes()->begin(), key.bytes()->end(), result.bytes.begin());
  return result;
}

inline ledger::Fingerprint to_ledger(const Fingerprint& fingerprint) {
  return ledger::Fingerprint(
      flatbuffers::span<const std::uint8_t, 32>(fingerprint.data(), fingerprint.size()));
}

inline Fingerprint fingerprint_from(const ledger::Fingerprint& fingerprint) {
  Fingerprint result{};
  std::copy(fingerprint.bytes()->begin(), fingerprint.bytes()->end(), result.begin());
  return result;
}

}  // namespace carehub
