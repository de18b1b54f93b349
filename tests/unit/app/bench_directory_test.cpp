#include "broker/app/bench_directory.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using carehub::app::BenchDirectory;

TEST_CASE("a bench without a directory makes one and takes it away") {
  std::filesystem::path path;
  {
    const auto opened = BenchDirectory::open({});
    REQUIRE(opened.has_value());
    path = (*opened)->path();
    CHECK(std::filesystem::is_directory(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a directory that was given stays, and may be used again") {
  const fakes::TemporaryDirectory parent;
  const auto given = parent.path() / "data";
  for (int each = 0; each < 2; ++each) {
    const auto opened = BenchDirectory::open(given);
    REQUIRE(opened.has_value());
    std::ofstream(given / "CURRENT") << "of a hub";
  }
  CHECK(std::filesystem::exists(given / "CURRENT"));
}

TEST_CASE("a real hub's data is never filled with invented children") {
  const fakes::TemporaryDirectory real;
  std::ofstream(real.path() / "vault") << "keys";
  const auto opened = BenchDirectory::open(real.path());
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().kind == ErrorKind::conflict);
  CHECK(std::distance(std::filesystem::directory_iterator(real.path()), {}) == 1);
}
