#pragma once

#include <string_view>
#include <utility>

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// Finds the entry that says what became of an event at a subscription, by when that was written down: the
/// rows of the state know the time, and times are in order.
class EntryFinder {
 public:
  /// `past` outlives it.
  explicit EntryFinder(const PastReader& past) : past_(past) {}

  /// `kind`: offered, acked or dead_letter. 0: no entry of that time says so.
  Result<Sequence> find(storage::EntryKind kind, std::string_view subscription, Sequence event, Timestamp at);

  /// Entries that were read since it was last asked.
  std::size_t take_looked() { return std::exchange(looked_, 0); }

 private:
  /// The first entry behind the event that was written then or later.
  Result<Sequence> first_since(Sequence event, Timestamp at);
  Result<bool> is_before(Sequence entry, Timestamp at);

  const PastReader& past_;
  std::size_t looked_ = 0;
};

}  // namespace carehub::care
