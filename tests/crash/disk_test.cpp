#include "tests/crash/disk.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "broker/storage/file.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using crash::Disk;
using crash::Fault;
using storage::File;

namespace {

/// What a file may hold after a cut, by many throws of the dice; `absent` when its name may be gone.
std::set<std::string> fates(const Disk& disk, const std::string& name) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    fakes::SeededRandom random(seed);
    const fakes::TemporaryDirectory into;
    disk.survivors(random, into.path());
    std::ifstream file(into.path() / name, std::ios::binary);
    found.insert(file ? std::string(std::istreambuf_iterator<char>(file), {}) : "absent");
  }
  return found;
}

}  // namespace

TEST_CASE("what was synced survives a power cut, and what was not may be there, gone, or torn") {
  const fakes::TemporaryDirectory place;
  const Disk disk(place.path());
  auto file = File::create(place.path() / "file");
  REQUIRE(file->write_at(0, bytes_of("first")));
  REQUIRE(file->sync());
  CHECK(fates(disk, "file") == std::set<std::string>{"first"});
  REQUIRE(file->write_at(5, bytes_of(" and second")));
  const auto found = fates(disk, "file");
  CHECK(found.size() > 4);
  CHECK(found.contains("first"));
  CHECK(found.contains("first and second"));
  for (const std::string& each : found) CHECK(each.starts_with("first"));
}

TEST_CASE("a name survives a power cut once its directory was synced") {
  const fakes::TemporaryDirectory place;
  const Disk disk(place.path());
  {
    auto file = File::create(place.path() / "draft");
    REQUIRE(file->write_at(0, bytes_of("whole")));
    REQUIRE(file->sync());
  }
  std::filesystem::rename(place.path() / "draft", place.path() / "file");
  CHECK(fates(disk, "file") == std::set<std::string>{"absent", "whole"});
  CHECK(fates(disk, "draft") == std::set<std::string>{"absent", "whole"});
  REQUIRE(storage::sync_directory(place.path()));
  CHECK(fates(disk, "file") == std::set<std::string>{"whole"});
  CHECK(fates(disk, "draft") == std::set<std::string>{"absent"});
}

TEST_CASE("a sync that failed is not made good by the next one, but by writing again") {
  const fakes::TemporaryDirectory place;
  Disk disk(place.path());
  auto file = File::create(place.path() / "file");
  disk.plan({.kind = Fault::Kind::error, .at = 2});
  REQUIRE(file->write_at(0, bytes_of("bytes")));
  CHECK(!file->sync());
  REQUIRE(file->sync());
  CHECK(fates(disk, "file").contains(""));
  REQUIRE(file->write_at(0, bytes_of("bytes")));
  REQUIRE(file->sync());
  CHECK(fates(disk, "file") == std::set<std::string>{"bytes"});
}

TEST_CASE("a disk that lies loses what it said was safe, and nothing else") {
  const fakes::TemporaryDirectory place;
  Disk disk(place.path());
  auto file = File::create(place.path() / "file");
  disk.plan({.kind = Fault::Kind::lying_sync, .at = 1, .only_in = "*/file"});
  REQUIRE(file->write_at(0, bytes_of("lost")));
  REQUIRE(file->sync());
  REQUIRE(file->write_at(4, bytes_of("kept")));
  REQUIRE(file->sync());
  CHECK(fates(disk, "file") == std::set<std::string>{std::string(4, '\0') + "kept"});
}

TEST_CASE("after the power has gone nothing reaches the disk") {
  const fakes::TemporaryDirectory place;
  Disk disk(place.path());
  auto file = File::create(place.path() / "file");
  REQUIRE(file->write_at(0, bytes_of("before")));
  REQUIRE(file->sync());
  disk.plan({.kind = Fault::Kind::power_cut, .at = 2});
  REQUIRE(file->write_at(0, bytes_of("BEFORE")));
  CHECK(!file->sync());
  CHECK(!file->write_at(0, bytes_of("after!")));
  CHECK(!File::create(place.path() / "another"));
  CHECK(disk.what() == "sync of file");
  for (const std::string& each : fates(disk, "file")) CHECK(each.find("after!") == std::string::npos);
  CHECK(fates(disk, "another") == std::set<std::string>{"absent"});
}
