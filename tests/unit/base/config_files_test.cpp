#include "broker/base/config_files.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

const MissingFile kMissing{"there is no such thing", "Make it"};

/// The fault that a check leaves at the key's line; empty when there is none.
std::string fault_of(const std::filesystem::path& path, bool folder) {
  auto document = ConfigDocument::parse("\nfile = \"x\"\n", "hub.toml");
  auto root = document.root();
  (void)root.text("file");
  const bool good =
      folder ? check_folder(root, "file", path, kMissing) : check_file(root, "file", path, kMissing);
  CHECK(good == document.faults().empty());
  return good ? std::string() : to_string(document.faults().at(0));
}

}  // namespace

TEST_CASE("a file that is there is good, and what is missing or something else is said as the caller says") {
  const fakes::TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  CHECK(fault_of(directory.path() / "file", false).empty());
  CHECK(fault_of(directory.path(), true).empty());
  for (const auto& [path, folder] :
       {std::pair{directory.path() / "none", false}, std::pair{directory.path(), false},
        std::pair{directory.path() / "file", true}, std::pair{directory.path() / "file/below", false}}) {
    CAPTURE(path, folder);
    CHECK(fault_of(path, folder) == "hub.toml:2:8: there is no such thing. Make it");
  }
}

TEST_CASE("a path that cannot be looked at is a fault with its place, and no end of the program") {
  const fakes::TemporaryDirectory directory;
  std::filesystem::create_symlink("loop", directory.path() / "loop");
  for (const auto& path : {directory.path() / "loop", directory.path() / std::string(300, 'x')}) {
    const std::string fault = fault_of(path, false);
    CHECK(fault.starts_with("hub.toml:2:8: " + path.string() + " cannot be looked at: "));
    CHECK(fault.ends_with("Check the path, its links and the disk or share"));
  }
}

TEST_CASE("a file that this user may not read is said to be that, not missing") {
  if (::geteuid() == 0) {
    WARN("SKIPPED: the superuser may read everything");
    return;
  }
  const fakes::TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  std::filesystem::permissions(directory.path() / "file", std::filesystem::perms::none);
  CHECK(fault_of(directory.path() / "file", false).find("this user may not read") != std::string::npos);
}
