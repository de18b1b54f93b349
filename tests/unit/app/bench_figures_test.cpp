#include "broker/app/bench_figures.hpp"

#include <catch2/catch.hpp>

using namespace carehub::app;
using std::chrono::microseconds;

TEST_CASE("a quantile is the smallest latency that the share does not exceed") {
  Latencies latencies;
  CHECK(latencies.quantile_us(0.5) == 0);
  for (int us = 100; us >= 1; --us) latencies.add(microseconds(us));
  CHECK(latencies.quantile_us(0.5) == 50);
  CHECK(latencies.quantile_us(0.99) == 99);
  CHECK(latencies.quantile_us(1) == 100);
  latencies.add(microseconds(1'000));
  CHECK(latencies.quantile_us(1) == 1'000);
  CHECK(latencies.json() == R"({"p50":51,"p90":91,"p99":100,"p999":1000,"max":1000})");
}

TEST_CASE("a process finds its own threads and its memory") {
  CHECK(processor_seconds().count("clients") == 1);
  CHECK(resident_bytes() > 1'000'000);
}
