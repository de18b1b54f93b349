#pragma once

#include <optional>

#include "broker/core/disclosure.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/sealer.hpp"

namespace carehub::care {

/// What stands in every answer where something was that has been erased.
constexpr const char* kErasedText = "this entry has been erased";

/// An event entry read back out of the ledger, opened and verified. Movable; `event` points into `bytes`.
struct PastEvent {
  Sequence sequence = 0;
  Timestamp appended_at;
  PersonKey person;
  Sequence previous_of_person = 0;
  std::string agency;
  std::string channel;
  std::string journey;
  Bytes bytes;
  const event::Event* event = nullptr;
  std::vector<ledger::Mark> marks;
  Sequence mends = 0;      // the dead letter that it stands in for
  std::string mended_for;  // the subscription whose dead letter it was; empty: it is for all
};

/// Out of the body that an event entry opens to. Error `corrupt`: it does not verify.
Result<PastEvent> event_in(const storage::EntryHeader& header, BytesView body);

/// nullopt: the entry is no event, or its key is gone. Error `corrupt`: it does not open or verify.
Result<std::optional<PastEvent>> open_event(const storage::SealedEntry& sealed,
                                            const storage::Sealer& sealer);

}  // namespace carehub::care
