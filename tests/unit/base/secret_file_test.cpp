#include "broker/base/secret_file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/fakes/own_memory.hpp"
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

TEST_CASE("of a secret that was read nothing is left in memory once it is gone") {
  const fakes::TemporaryDirectory directory;
  const auto file = directory.path() / "secret";
  constexpr std::string_view kBackwards = "ydobon-fo-terces-a-si-siht";
  fakes::write_forwards(file, kBackwards);
  {
    auto secret = read_secret_file(file, 4096);
    REQUIRE(secret);
    CHECK(secret->view().size() == kBackwards.size());
    CHECK(fakes::times_in_memory(kBackwards) == 1);
    auto moved = *std::move(secret);
    CHECK(fakes::times_in_memory(kBackwards) == 1);
    moved = SecretText();
  }
  CHECK(fakes::times_in_memory(kBackwards) == 0);
}

TEST_CASE("a secret's file that is missing, a directory or too large says so") {
  const Secret secret(0600);
  CHECK(read_secret_file(secret.file, 9)->view() == "of nobody");
  CHECK(read_secret_file(secret.file, 8).error().kind == ErrorKind::invalid);
  CHECK(read_secret_file(secret.directory.path() / "none", 8).error().kind == ErrorKind::not_found);
  CHECK(read_secret_file(secret.directory.path(), 8).error().kind == ErrorKind::unavailable);
  const Secret empty(0600);
  std::filesystem::resize_file(empty.file, 0);
  CHECK(read_secret_file(empty.file, 8)->view().empty());
}
