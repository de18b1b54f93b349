#include "broker/app/verifier_keys.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;

TEST_CASE("a file of verifier keys that is missing, empty or wrong is named") {
  const fakes::TemporaryFolder folder;
  folder.write("empty.keys", "# nobody yet\n");
  folder.write("wrong.keys", "not a key\n");
  test::Told told;
  for (const auto* name : {"missing.keys", "empty.keys", "wrong.keys"}) {
    const auto keys = app::read_verifier_keys(folder.path() / name, told.surroundings);
    REQUIRE(!keys);
    CHECK(keys.error().text.find(name) != std::string::npos);
  }
}
