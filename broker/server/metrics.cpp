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

}  // namespace carehub::server
