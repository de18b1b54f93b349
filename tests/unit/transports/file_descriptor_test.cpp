#include "adapters/transports/file_descriptor.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::TemporaryFolder;

TEST_CASE("a new file holds what was written and never takes the place of another") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "notice.csv";
  REQUIRE(write_synced(file, bytes_of("first")) == 0);
  CHECK(write_synced(file, bytes_of("second")) == EEXIST);
  CHECK(folder.read("notice.csv") == "first");
  CHECK(write_synced(folder.path() / "none" / "notice.csv", bytes_of("x")) == ENOENT);
}

TEST_CASE("a rename never covers a file, and moves across folders") {
  const TemporaryFolder folder;
  folder.write("in/a.csv", "new");
  folder.write("done/a.csv", "old");
  CHECK(rename_new(folder.path() / "in/a.csv", folder.path() / "done/a.csv") == EEXIST);
  CHECK(folder.read("in/a.csv") == "new");
  CHECK(folder.read("done/a.csv") == "old");
  CHECK(rename_new(folder.path() / "in/a.csv", folder.path() / "done/a.2.csv") == 0);
  CHECK(folder.read("done/a.2.csv") == "new");
  CHECK_FALSE(folder.has("in/a.csv"));
  CHECK(rename_new(folder.path() / "in/a.csv", folder.path() / "done/b.csv") == ENOENT);
}

TEST_CASE("a file is read whole up to the limit, and not at all above it") {
  const TemporaryFolder folder;
  folder.write("a.csv", std::string(100, 'x'));
  folder.write("empty.csv", "");
  Bytes read;
  REQUIRE(read_whole(folder.path() / "a.csv", 100, read) == 0);
  CHECK(read == Bytes(100, 'x'));
  CHECK(read_whole(folder.path() / "a.csv", 99, read) == EFBIG);
  REQUIRE(read_whole(folder.path() / "empty.csv", 100, read) == 0);
  CHECK(read.empty());
}

TEST_CASE("links, pipes and folders are not read as files, and a pipe hangs nobody") {
  const TemporaryFolder folder;
  folder.write("secret", "x");
  std::filesystem::create_symlink(folder.path() / "secret", folder.path() / "link.csv");
  REQUIRE(::mkfifo((folder.path() / "pipe.csv").c_str(), 0600) == 0);
  Bytes read;
  CHECK(read_whole(folder.path() / "link.csv", 100, read) == ELOOP);
  CHECK(read_whole(folder.path() / "pipe.csv", 100, read) == ENXIO);
  CHECK(read_whole(folder.path(), 100, read) == ENXIO);
  CHECK(read_whole(folder.path() / "none.csv", 100, read) == ENOENT);
}

TEST_CASE("a folder that is missing cannot be synced") {
  const TemporaryFolder folder;
  CHECK(sync_directory(folder.path()) == 0);
  CHECK(sync_directory(folder.path() / "none") == ENOENT);
}

TEST_CASE("a number goes before the extension, and the first has none") {
  CHECK(numbered("events.csv", 1) == "events.csv");
  CHECK(numbered("events.csv", 2) == "events.2.csv");
  CHECK(numbered("events", 3) == "events.3");
  CHECK(numbered("events.tar.gz", 4) == "events.tar.4.gz");
}

TEST_CASE("a name that would be too long is cut between two characters, and keeps its mark and extension") {
  CHECK(marked_name("events.csv", ".2", 12) == "events.2.csv");
  CHECK(marked_name("events.csv", ".2", 11) == "event.2.csv");
  CHECK(marked_name("caf\xC3\xA9.csv", ".2", 10) == "caf.2.csv");
  CHECK(marked_name("events.csv", "", 255) == "events.csv");
  CHECK(marked_name("a." + std::string(200, 'x'), ".2", 100) == "a." + std::string(96, 'x') + ".2");
  CHECK(marked_name(std::string(300, '\x80'), ".2", 10) == ".2");  // no character begins here
}

TEST_CASE("a fault of the disk is a stable word, an unknown one a number") {
  CHECK(file_fault(ENOSPC) == "disk full");
  CHECK(file_fault(EDQUOT) == "quota exceeded");
  CHECK(file_fault(EACCES) == "not permitted");
  CHECK(file_fault(ENOENT) == "folder missing");
  CHECK(file_fault(EROFS) == "read-only file system");
  CHECK(file_fault(EFBIG) == "too large");
  CHECK(file_fault(ENAMETOOLONG) == "name too long");
  CHECK(file_fault(EEXIST) == "name taken");
  CHECK(file_fault(EIO) == "file error " + std::to_string(EIO));
}

TEST_CASE("a descriptor that is moved is closed once, with its new owner") {
  const TemporaryFolder folder;
  int raw = -1;
  {
    FileDescriptor first(::dup(0));
    raw = first.get();
    const FileDescriptor second(std::move(first));
    CHECK(second.get() == raw);
    CHECK(static_cast<bool>(second));
  }
  CHECK(::write(raw, "", 0) == -1);
  CHECK_FALSE(static_cast<bool>(FileDescriptor(-1)));
}

}  // namespace
}  // namespace carehub::adapters
