#include "broker/storage/file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <optional>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

struct Place {
  fakes::TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "file";

  File made() const {
    auto file = File::create(path);
    if (!file) FAIL(file.error().text);
    return std::move(*file);
  }
};

}  // namespace

TEST_CASE("bytes are read back from where they were written, fewer at the end of the file") {
  const Place place;
  File file = place.made();
  REQUIRE(file.write_at(4, bytes_of("late")));
  REQUIRE(file.write_at(0, bytes_of("soon")));
  REQUIRE(file.sync());
  const auto reader = File::open_to_read(place.path);
  REQUIRE(reader);
  CHECK(text_of(*reader->read_at(0, 8)) == "soonlate");
  CHECK(text_of(*reader->read_at(6, 100)) == "te");
  CHECK(reader->read_at(100, 8)->empty());
  REQUIRE(file.truncate(5));
  CHECK(*reader->size() == 5);
}

TEST_CASE("a new file is for its owner alone and never takes the place of another") {
  const Place place;
  const File file = place.made();
  struct stat status{};
  REQUIRE(::stat(place.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK(File::create(place.path).error().kind == ErrorKind::conflict);
}

TEST_CASE("a file that is not there is not found, and its path is told") {
  const Place place;
  for (const auto& opened : {File::open(place.path), File::open_to_read(place.path)}) {
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::not_found);
    CHECK(opened.error().text.find(place.path.string()) == 0);
  }
}

TEST_CASE("a link is not opened for writing, since it may lead anywhere") {
  const Place place;
  const File file = place.made();
  const auto link = place.directory.path() / "link";
  std::filesystem::create_symlink(place.path, link);
  CHECK_FALSE(File::open(link));
  CHECK(File::open_to_read(link));
}

TEST_CASE("a locked file is refused to others until its owner closes it") {
  const Place place;
  std::optional<File> owner = place.made();
  REQUIRE(owner->lock());
  auto other = File::open(place.path);
  REQUIRE(other);
  const auto locked = other->lock();
  REQUIRE_FALSE(locked);
  CHECK(locked.error().kind == ErrorKind::unavailable);
  CHECK(locked.error().text.find("in use by another hub") != std::string::npos);
  owner.reset();
  CHECK(other->lock());
}

TEST_CASE("a file that is moved keeps its lock and its content") {
  const Place place;
  File first = place.made();
  REQUIRE(first.lock());
  REQUIRE(first.write_at(0, bytes_of("kept")));
  const File moved = std::move(first);
  CHECK_FALSE(File::open(place.path)->lock());
  CHECK(text_of(*moved.read_at(0, 4)) == "kept");
  CHECK(moved.path() == place.path);
}

TEST_CASE("a full disk is said in one line with its remedy") {
  auto full = File::open("/dev/full");
  REQUIRE(full);
  const auto written = full->write_at(0, bytes_of("x"));
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::unavailable);
  CHECK(written.error().text.find("The disk is full: make room and restart") != std::string::npos);
}

TEST_CASE("a directory is made with its parents, for the hub's user alone, and may be there already") {
  const Place place;
  const auto directory = place.directory.path() / "a" / "b";
  REQUIRE(make_writable_directory(directory));
  REQUIRE(make_writable_directory(directory));
  CHECK(std::filesystem::status(directory).permissions() == std::filesystem::perms::owner_all);
  CHECK(sync_directory(directory));
}

TEST_CASE("a file in a directory's place, and a directory that is not there, are refused by name") {
  const Place place;
  const File file = place.made();
  CHECK(make_writable_directory(place.path / "below").error().text.find(place.path.string()) == 0);
  CHECK(sync_directory(place.directory.path() / "none").error().kind == ErrorKind::not_found);
}
