#include "broker/server/metrics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace carehub::server {

void Histogram::add(std::int64_t us) {
  const auto width = std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)));
  ++buckets_[std::min<std::size_t>(static_cast<std::size_t>(width), buckets_.size() - 1)];
  ++count_;
}

std::int64_t Histogram::quantile_us(double quantile) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(quantile, 0.0, 1.0) * double(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) return std::int64_t{1} << bucket;
  }
  return std::int64_t{1} << (buckets_.size() - 1);
}

void add_counts(const Statistics& statistics, wire::PageT& page) {
  const auto add = [&page](const char* kind, std::uint64_t count) {
    auto row = std::make_unique<wire::RowT>();
    row->kind = kind;
    row->pending = count;
    page.rows.push_back(std::move(row));
  };
  add("connections", statistics.connections);
  add("connections_lost", statistics.connections_lost);
  add("keys_refused", statistics.keys_refused);
  add("frames_refused", statistics.frames_refused);
  add("frames_unaddressed", statistics.frames_unaddressed);
  add("frames_beyond_limit", statistics.frames_beyond_limit);
  add("answers_ignored", statistics.engine.ignored_answers);
  add("excess_credit", statistics.engine.excess_credit);
  add("publications_refused", statistics.engine.refused);
  add("publications_overloaded", statistics.publications_overloaded);
  add("alarms", statistics.alarms);
  add("scrub_entries_verified", statistics.scrub.next - 1);
  add("scrub_passes", statistics.scrub.passes);
  add("scrub_faults", statistics.scrub.faults);
  add("scrub_first_bad_entry", statistics.scrub.first_bad);
  add("scrub_vault_damaged", statistics.scrub.vault_bad ? 1 : 0);
  if (statistics.witnesses == 0) return;
  add("cosignatures", statistics.cosignatures);
  add("cosignatures_refused", statistics.cosignatures_refused);
  add("cosigned_entries", statistics.cosigned_entries);
  add("cosigned_age_s", static_cast<std::uint64_t>(statistics.cosigned_age_s));
}

}  // namespace carehub::server
