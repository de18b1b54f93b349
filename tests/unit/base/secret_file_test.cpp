#include "broker/base/secret_file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

struct Secret {
  fakes::TemporaryDirectory directory;
  std::filesystem::path file = directory.path() / "secret";
  explicit Secret(mode_t mode) {
    std::ofstream(file) << "of nobody";
    REQUIRE(::chmod(file.c_str(), mode) == 0);
  }
};

/// $CREDENTIALS_DIRECTORY for one test.
struct Credentials {
  explicit Credentials(const std::filesystem::path& directory) {
    ::setenv("CREDENTIALS_DIRECTORY", directory.c_str(), 1);
  }
  ~Credentials() { ::unsetenv("CREDENTIALS_DIRECTORY"); }
};

}  // namespace

TEST_CASE("a secret's file is its owner's alone") {
  for (const mode_t mode : {0600U, 0400U, 0700U}) CHECK_FALSE(is_open_to_others(Secret(mode).file));
  for (const mode_t mode : {0640U, 0440U, 0604U, 0620U, 0602U, 0610U})
    CHECK(is_open_to_others(Secret(mode).file));
}

TEST_CASE("a credential of systemd's may bear the bit of its access list, and no other") {
  const Secret listed(0440);
  const Credentials credentials(listed.directory.path());
  CHECK_FALSE(is_open_to_others(listed.file));
  CHECK_FALSE(is_open_to_others(listed.directory.path() / "." / "secret"));
  REQUIRE(::chmod(listed.file.c_str(), 0444) == 0);
  CHECK(is_open_to_others(listed.file));
  REQUIRE(::chmod(listed.file.c_str(), 0460) == 0);
  CHECK(is_open_to_others(listed.file));
  CHECK(is_open_to_others(Secret(0440).file));
}

TEST_CASE("of a file that is not there somebody else says so") {
  const fakes::TemporaryDirectory directory;
  CHECK_FALSE(is_open_to_others(directory.path() / "none"));
}
