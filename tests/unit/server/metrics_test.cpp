#include "broker/server/metrics.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

using carehub::server::Histogram;

TEST_CASE("a histogram's quantile is the bound of the bucket that it falls into") {
  Histogram histogram;
  CHECK(histogram.quantile_us(0.5) == 0);
  for (int each = 0; each < 99; ++each) histogram.add(100);
  histogram.add(5'000);
  CHECK(histogram.count() == 100);
  CHECK(histogram.quantile_us(0.5) == 128);
  CHECK(histogram.quantile_us(0.99) == 128);
  CHECK(histogram.quantile_us(1.0) == 8'192);
}

TEST_CASE("times that cannot be fall into the outermost buckets") {
  Histogram histogram;
  histogram.add(-5);
  histogram.add(INT64_MAX);
  CHECK(histogram.quantile_us(0.1) == 1);
  CHECK(histogram.quantile_us(1.0) == std::int64_t{1} << 39U);
}
