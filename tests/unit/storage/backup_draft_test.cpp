#include "broker/storage/backup_draft.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::BackupDraft;
namespace fs = std::filesystem;

namespace {

std::string text_in(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a directory has its name only when all of it is whole") {
  const fakes::TemporaryDirectory work;
  const fs::path place = work.path() / "monday";
  {
    auto draft = BackupDraft::make(place);
    REQUIRE(draft);
    CHECK(storage::is_unfinished(draft->path()));
    CHECK(storage::is_unfinished(draft->path() / ""));
    CHECK_FALSE(storage::is_unfinished(place));
    fs::create_directory(draft->path() / "inner");
    REQUIRE(storage::write_new_file(draft->path() / "inner/file", "whole"));
    CHECK_FALSE(fs::exists(place));
    REQUIRE(draft->finish());
  }
  CHECK(text_in(place / "inner/file") == "whole");
  CHECK_FALSE(fs::exists(place.string() + storage::kUnfinished));
  struct stat status = {};
  REQUIRE(::stat(place.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0700U);
}

TEST_CASE("what was not finished is removed, and what a kill has left is told of") {
  const fakes::TemporaryDirectory work;
  const fs::path place = work.path() / "monday";
  {
    auto draft = BackupDraft::make(place);
    REQUIRE(draft);
    REQUIRE(storage::write_new_file(draft->path() / "file", "half"));
  }
  CHECK(fs::is_empty(work.path()));
  fs::create_directory(place.string() + storage::kUnfinished);
  const auto left = BackupDraft::make(place);
  REQUIRE_FALSE(left);
  CHECK(left.error().kind == ErrorKind::conflict);
  CHECK_THAT(left.error().text, Catch::Contains("monday.unfinished") && Catch::Contains("remove it"));
  CHECK(BackupDraft::make(place.string() + storage::kUnfinished).error().kind == ErrorKind::invalid);
}

TEST_CASE("nothing that is there is written over, and a place that cannot be is named") {
  const fakes::TemporaryDirectory work;
  fs::create_directory(work.path() / "there");
  CHECK(BackupDraft::make(work.path() / "there").error().kind == ErrorKind::conflict);
  CHECK(BackupDraft::make(work.path() / "there/").error().kind == ErrorKind::conflict);
  fs::create_symlink(work.path() / "nowhere", work.path() / "link");
  CHECK(BackupDraft::make(work.path() / "link").error().kind == ErrorKind::conflict);
  const auto lost = BackupDraft::make(work.path() / "no/such/place");
  CHECK(lost.error().kind == ErrorKind::not_found);
  CHECK_THAT(lost.error().text, Catch::Contains("mount its disk"));
  CHECK(BackupDraft::make("/proc/carehub").error().kind == ErrorKind::unavailable);

  auto draft = BackupDraft::make(work.path() / "late");
  REQUIRE(draft);
  fs::create_directory(work.path() / "late");
  CHECK_FALSE(draft->finish());
  CHECK(fs::is_empty(work.path() / "late"));
}

TEST_CASE("a file is copied as far as it is asked for, and no further") {
  const fakes::TemporaryDirectory work;
  const fs::path from = work.path() / "from";
  std::string text(3U << 20U, 'x');
  text += "behind";
  std::ofstream(from, std::ios::binary) << text;
  std::uint64_t told = 0;
  const auto tell = [&](std::uint64_t bytes) {
    told += bytes;
    return true;
  };
  REQUIRE(storage::copy_file(from, work.path() / "to", 3U << 20U, tell, bytes_of("tail")));
  CHECK(told == (3U << 20U));
  CHECK(text_in(work.path() / "to") == std::string(3U << 20U, 'x') + "tail");
  CHECK_FALSE(storage::copy_file(from, work.path() / "to", 1, {}));
  CHECK(storage::copy_file(from, work.path() / "long", text.size() + 1, {}).error().kind ==
        ErrorKind::corrupt);
  CHECK(storage::copy_file(from, work.path() / "stopped", text.size(), [](std::uint64_t) { return false; })
            .error()
            .kind == ErrorKind::unavailable);
  CHECK_THAT(storage::write_new_file("/dev/full/x", "y").error().text, Catch::Contains("cannot create"));
}
