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
  const auto none = app::read_hub_keys({}, folder.path(), told.surroundings);
  REQUIRE(!none);
  CHECK(none.error().text.find("checkpoint.keys") != std::string::npos);
  CHECK(none.error().text.find("--keys") != std::string::npos);
}

TEST_CASE("a hub's keys are read from its data, or from the file that is named") {
  const fakes::TemporaryFolder folder;
  const std::string key = "carehub/other+dbf06896+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
  folder.write("checkpoint.keys", key);
  folder.write("named.keys", "# by hand\n" + key);
  test::Told told;
  const auto own = app::read_hub_keys({}, folder.path(), told.surroundings);
  REQUIRE(own);
  CHECK(own->text == key);
  CHECK(own->keys.size() == 1);
  const auto named = app::read_hub_keys(folder.path() / "named.keys", folder.path(), told.surroundings);
  REQUIRE(named);
  CHECK(named->text.starts_with("# by hand"));
}
