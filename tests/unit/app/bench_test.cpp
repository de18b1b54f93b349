#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "broker/app/commands.hpp"
#include "tests/fakes/temporary_directory.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;
using namespace carehub::app;

TEST_CASE("a bench prints what was published, delivered and written as one object") {
  test::Told told;
  BenchOptions options;
  options.events = 300;
  options.preload = 100;
  options.children = 50;
  options.window = 32;
  options.json = true;
  REQUIRE(bench(options, told.surroundings) == ExitCode::ok);
  const auto line = boost::json::parse(told.out.str()).as_object();
  CHECK(line.at("work") == "publish");
  CHECK(line.at("events") == 300);
  CHECK(line.at("preloaded") == 100);
  CHECK(line.at("deliveries") == 900);
  CHECK(line.at("transport") == "local socket");
  CHECK(line.at("receipt_us").as_object().contains("p99"));
  CHECK(line.at("delivery_us").as_object().contains("p50"));
}

TEST_CASE("a bench for people is a table") {
  test::Told told;
  BenchOptions options;
  options.events = 50;
  options.children = 50;
  options.subscribers = 1;
  REQUIRE(bench(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("delivered_per_second"));
  CHECK(told.said("deliveries              50"));
}

TEST_CASE("a bench keeps away from a directory that something else uses") {
  const fakes::TemporaryDirectory real;
  std::ofstream(real.path() / "vault") << "keys";
  test::Told told;
  BenchOptions options;
  options.data = real.path();
  CHECK(bench(options, told.surroundings) == ExitCode::usage);
  CHECK(told.complained("in use by something else"));
}
