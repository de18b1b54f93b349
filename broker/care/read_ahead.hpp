#pragma once

#include <optional>
#include <vector>

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// A stretch of the ledger that was read, and whose events were opened, before anybody asked for it: the part
/// of a replay's work that decides nothing, and so may be done on another thread. Holds what is in clear.
class ReadAhead {
 public:
  struct Entry {
    storage::EntryHeader header;
    Bytes body;  // of an event that is there; else none
  };

  ReadAhead() = default;
  /// kScanEntries from `from` at most, and fewer where they are large. What does not open ends it: who comes
  /// to that entry reads it anew, and is told.
  ReadAhead(const PastReader& past, Sequence from);

  bool holds(Sequence sequence) const { return sequence >= first_ && sequence < behind(); }
  const Entry& at(Sequence sequence) const { return entries_[sequence - first_]; }
  /// The first that is not in it.
  Sequence behind() const { return first_ + entries_.size(); }

 private:
  Sequence first_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace carehub::care
