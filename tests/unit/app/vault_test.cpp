#include <fstream>

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

TEST_CASE("the vault of a stopped hub gets another master key, and the hub starts with it") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const auto master = county.folder.path() / "data" / "master.key";
  const auto key = [&] {
    std::ifstream file(master);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto before = key();
  app::VaultOptions options;
  options.config = county.config();
  options.by = "An Operator";
  Told without;
  CHECK(app::vault(options, without.surroundings) == ExitCode::usage);
  options.reason = "an administrator has left";
  Told running;
  CHECK(app::vault(options, running.surroundings) == ExitCode::storage);
  REQUIRE(county.stop() == ExitCode::ok);
  Told told;
  CHECK(app::vault(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("recorded as entry "));
  CHECK(key() != before);
  CHECK(!told.said(before.substr(0, 16)));
  options.new_key_file = master;
  Told wrong;
  CHECK(app::vault(options, wrong.surroundings) == ExitCode::usage);
  Told rebuilt;
  CHECK(app::rebuild({county.config()}, rebuilt.surroundings) == ExitCode::ok);
}
