#include "broker/app/key_files.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "broker/app/commands.hpp"
#include "tests/fakes/temporary_directory.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;

using Folder = fakes::TemporaryDirectory;

TEST_CASE("a key pair is written for its owner alone and read back") {
  const Folder folder;
  const auto keys = app::make_key_pair();
  REQUIRE(app::write_key_pair(folder.path() / "hub", keys));
  struct stat status = {};
  REQUIRE(stat((folder.path() / "hub.secret").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  const auto secret = app::read_secret_key(folder.path() / "hub.secret");
  REQUIRE(secret);
  CHECK(secret->public_key == keys.public_key);
  CHECK(secret->secret_key == keys.secret_key);
  CHECK(*app::read_public_key(folder.path() / "hub.public") == keys.public_key);
}

TEST_CASE("a public key follows from its secret as CURVE has it") {
  // The test vector of ZeroMQ RFC 26's reference, zmq_curve_public(3).
  const Folder folder;
  const auto file = folder.path() / "vector.secret";
  std::ofstream(file) << "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  const auto keys = app::read_secret_key(file);
  REQUIRE(keys);
  CHECK(keys->public_key == "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
}

TEST_CASE("a key is never overwritten") {
  const Folder folder;
  REQUIRE(app::write_key_pair(folder.path() / "hub", app::make_key_pair()));
  const auto again = app::write_key_pair(folder.path() / "hub", app::make_key_pair());
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == ErrorKind::conflict);
}

TEST_CASE("a secret that others may read is not used") {
  const Folder folder;
  REQUIRE(app::write_key_pair(folder.path() / "hub", app::make_key_pair()));
  std::filesystem::permissions(folder.path() / "hub.secret", std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  REQUIRE_FALSE(app::read_secret_key(folder.path() / "hub.secret"));
}

TEST_CASE("a file that is no key is refused without showing what it holds") {
  const Folder folder;
  std::ofstream(folder.path() / "x") << "not a key at all";
  const auto key = app::read_public_key(folder.path() / "x");
  REQUIRE_FALSE(key);
  CHECK(key.error().text.find("not a key at all") == std::string::npos);
}

TEST_CASE("keys are told as JSON, never the secret one") {
  const Folder folder;
  test::Told told;
  CHECK(app::keys({folder.path() / "hub", true}, told.surroundings) == app::ExitCode::ok);
  const auto keys = app::read_secret_key(folder.path() / "hub.secret");
  REQUIRE(keys);
  CHECK(told.out.str().starts_with(R"({"secret_file":")"));
  CHECK(told.said(R"("public_key":")"));
  CHECK_FALSE(told.said(keys->secret_key));
}
