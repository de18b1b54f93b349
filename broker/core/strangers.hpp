#pragma once

#include <array>
#include <cstdint>

#include "broker/core/day_keys.hpp"

namespace carehub::core {

/// What came from those whom the hub does not know, counted since start.
struct StrangerCounts {
  std::uint64_t keys_refused = 0;  // CURVE handshakes with a key that is not on the list
  std::uint64_t frames_unaddressed =
      0;  // under a routing id that is none, another's, or a key's taken off the list
};

/// Writes down that strangers knocked: for each cause one entry a minute, with how many since the one before,
/// so that nobody fills the ledger by knocking.
class Strangers {
 public:
  Strangers(Journal& journal, DayKeys& day_keys) : journal_(journal), day_keys_(day_keys) {}

  /// `totals` never fall. A vault that cannot be extended is asked again with the next call.
  Result<void> note(const StrangerCounts& totals, Timestamp now);

  static constexpr std::int64_t kApartUs = 60 * kSecondUs;

 private:
  struct Told {
    std::uint64_t total = 0;
    Timestamp at;
  };
  Result<void> tell(Told& told, std::uint64_t total, const char* what, Timestamp now);

  Journal& journal_;
  DayKeys& day_keys_;
  std::array<Told, 2> told_;
};

}  // namespace carehub::core
