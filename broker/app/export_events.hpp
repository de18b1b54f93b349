#pragma once

#include <functional>
#include <limits>

#include "broker/app/hub_connection.hpp"
#include "broker/app/surroundings.hpp"
#include "broker/base/ids.hpp"

namespace carehub::app {

/// Entries by number, and by when they were written down, in microseconds UTC; both ends are meant. 0: no
/// bound of time.
struct ExportSpan {
  Sequence first = 1;
  Sequence last = std::numeric_limits<Sequence>::max();
  std::int64_t first_at = 0;
  std::int64_t last_at = 0;
  bool holds(Sequence sequence) const { return sequence >= first && sequence <= last; }
};

/// From the words of a command line: each an entry's number, a time, or a day of UTC; empty: no bound. A time
/// at the end is not meant, a day is.
Result<ExportSpan> read_span(const std::string& from, const std::string& to);

using TakeRow = std::function<Result<void>(const wire::RowT& row)>;

/// What the question's role may see of one person's events, the newest first, each followed by what became of
/// it at its subscribers. `remark` hears what the hub says beside the rows.
Result<void> person_events(client::HubClient& hub, wire::QueryT question, const std::string& person,
                           const ExportSpan& span, const TakeRow& take,
                           const std::function<void(const std::string&)>& remark);

/// What it may see of all events of a span, the oldest first. The number of those that it may not.
Result<std::uint64_t> span_events(client::HubClient& hub, const wire::QueryT& question,
                                  const ExportSpan& span, Surroundings& surroundings, const TakeRow& take);

}  // namespace carehub::app
