#include "broker/app/replay_file.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"

using namespace carehub;
using app::ReplayFile;
using fakes::TemporaryFolder;

namespace {

std::string line(Sequence sequence, std::size_t text_bytes = 4) {
  return "{\"sequence\":" + std::to_string(sequence) + ",\"text\":\"" + std::string(text_bytes, 'x') +
         "\"}\n";
}

}  // namespace

TEST_CASE("a replay's file is new, its owner's alone, and whole lines") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "replay.json";
  auto file = ReplayFile::open(path, false);
  REQUIRE(file);
  CHECK(file->last_sequence() == 0);
  REQUIRE(file->append(line(4) + line(7)));
  REQUIRE(file->finish());
  CHECK(folder.read("replay.json") == line(4) + line(7));
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
  const auto again = ReplayFile::open(path, false);
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == ErrorKind::conflict);
  const auto beside = ReplayFile::open(path, true);
  REQUIRE_FALSE(beside);
  CHECK(beside.error().text.find("another replay writes to it") != std::string::npos);
}

TEST_CASE("a replay that resumes cuts off the half line and goes on behind the last whole one") {
  const TemporaryFolder folder;
  Sequence last = 0;
  std::string whole;
  SECTION("there is no file yet") {}
  SECTION("it is empty") { folder.write("replay.json", ""); }
  SECTION("it has half a line alone") { folder.write("replay.json", "{\"sequence\":9,\"te"); }
  SECTION("it ends with a whole line") {
    whole = line(4) + line(17);
    folder.write("replay.json", whole);
    last = 17;
  }
  SECTION("it ends with half a line") {
    whole = line(4) + line(17);
    folder.write("replay.json", whole + "{\"sequence\":18");
    last = 17;
  }
  SECTION("its lines are longer than what is read at once") {
    whole = line(4, 300'000) + line(5, 200'000);
    folder.write("replay.json", whole + line(6, 100'000).substr(0, 90'000));
    last = 5;
  }
  {
    auto file = ReplayFile::open(folder.path() / "replay.json", true);
    REQUIRE(file);
    CHECK(file->last_sequence() == last);
    REQUIRE(file->append(line(20)));
    REQUIRE(file->finish());
  }
  CHECK(folder.read("replay.json") == whole + line(20));
}

TEST_CASE("a file that is none of a replay's is left as it is") {
  const TemporaryFolder folder;
  folder.write("letter.txt", "Dear all,\nplease");
  const auto file = ReplayFile::open(folder.path() / "letter.txt", true);
  REQUIRE_FALSE(file);
  CHECK(file.error().kind == ErrorKind::invalid);
  CHECK(folder.read("letter.txt") == "Dear all,\nplease");
}
