#include "broker/server/rotate.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

TEST_CASE("where there is no ledger there is nothing to rotate, and nothing is made") {
  const fakes::TemporaryDirectory place;
  server::RotateOptions options;
  options.data = place.path() / "data";
  options.reason = "a test";
  const auto rotated = server::rotate_master_key(options);
  REQUIRE(!rotated);
  CHECK(rotated.error().kind == ErrorKind::not_found);
  CHECK(!std::filesystem::exists(options.data));
}
