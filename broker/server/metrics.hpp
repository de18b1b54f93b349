#pragma once

#include <array>
#include <cstdint>

#include "broker/base/ids.hpp"
#include "broker/core/engine.hpp"
#include "broker/server/scrub.hpp"

namespace carehub::server {

/// Durations in buckets of powers of two of a microsecond; good to a factor of two.
class Histogram {
 public:
  void add(std::int64_t us);
  std::uint64_t count() const { return count_; }
  /// The upper bound of the bucket that the quantile (0 to 1) falls into; 0 when empty.
  std::int64_t quantile_us(double quantile) const;

 private:
  std::array<std::uint64_t, 40> buckets_{};
  std::uint64_t count_ = 0;
};

/// Counts since start, and how things are now. A plain value: the loop fills one and hands out copies.
struct Statistics {
  core::Counters engine;
  std::uint64_t frames_received = 0;
  std::uint64_t frames_refused = 0;       // no frame, no Hello, a false agency, or rejected for what they ask
  std::uint64_t frames_unaddressed = 0;   // a routing id of the wrong form, or under somebody else's User-Id
  std::uint64_t frames_beyond_limit = 0;  // of connections beyond what a key, or this machine, may have
  std::uint64_t keys_refused = 0;         // CURVE handshakes with a key that is not on the list
  std::uint64_t connections = 0;          // open now
  std::uint64_t connections_lost = 0;     // silent, not reading, or gone without a Goodbye
  std::uint64_t batches = 0;
  std::uint64_t entries = 0;
  std::uint64_t sends_held_back = 0;          // frames that wait for peers to read, now
  std::uint64_t publications_overloaded = 0;  // told to come again later, because the disk was behind
  std::uint64_t alarms = 0;
  std::uint64_t witnesses = 0;  // that this hub knows; without any the next four say nothing
  std::uint64_t cosignatures = 0;
  std::uint64_t cosignatures_refused = 0;
  Sequence cosigned_entries = 0;    // how many the newest cosigned checkpoint covers
  std::int64_t cosigned_age_s = 0;  // since a witness was last heard of; 0: never
  Sequence head = 0;                // durable
  ScrubFar scrub;                   // of the verifying of the whole ledger
  Histogram sync;                   // append to durable
  Histogram frame_to_release;       // a frame's arrival to its receipt's leaving
};

/// What an operator may want to see of them, as rows of the page that says how the hub is.
void add_counts(const Statistics& statistics, wire::PageT& page);

}  // namespace carehub::server
