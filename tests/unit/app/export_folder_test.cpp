#include "broker/app/export_folder.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/sha256.hpp"
#include "tests/fakes/temporary_folder.hpp"

using namespace carehub;
using app::ExportFolder;

namespace {

std::string hash_of(const std::string& text) { return to_hex(storage::sha256({bytes_of(text)})); }

}  // namespace

TEST_CASE("an export has its name and its manifest once it is whole") {
  const fakes::TemporaryFolder folder;
  const auto place = folder.path() / "case 4";
  auto made = ExportFolder::create(place);
  REQUIRE(made);
  REQUIRE(made->append("a.txt", "one "));
  REQUIRE(made->append("proofs/2", "proof"));
  REQUIRE(made->finish("proofs/2"));
  REQUIRE(made->append("a.txt", "two"));
  CHECK_FALSE(std::filesystem::exists(place));
  const auto manifest = made->complete();
  REQUIRE(manifest);
  const auto text = hash_of("one two") + "  a.txt\n" + hash_of("proof") + "  proofs/2\n";
  CHECK(folder.read("case 4/MANIFEST.sha256") == text);
  CHECK(*manifest == hash_of(text));
  CHECK(folder.read("case 4/a.txt") == "one two");
  CHECK((std::filesystem::status(place).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
  CHECK_FALSE(folder.has("case 4.draft"));
}

TEST_CASE("an export that is not completed leaves nothing behind") {
  const fakes::TemporaryFolder folder;
  {
    auto made = ExportFolder::create(folder.path() / "kept");
    REQUIRE(made);
    const auto moved = std::move(*made);
    CHECK(folder.has("kept.draft"));
  }
  CHECK_FALSE(folder.has("kept.draft"));
  CHECK_FALSE(folder.has("kept"));
}

TEST_CASE(
    "a folder that holds something is refused, an empty one is filled, and a draft is nobody's to take") {
  const fakes::TemporaryFolder folder;
  folder.write("full/file", "x");
  folder.write("file", "x");
  CHECK(ExportFolder::create(folder.path() / "full").error().kind == ErrorKind::conflict);
  CHECK(ExportFolder::create(folder.path() / "file").error().kind == ErrorKind::conflict);
  CHECK(ExportFolder::create(folder.path() / "missing/under").error().kind == ErrorKind::unavailable);
  std::filesystem::create_directory(folder.path() / "empty");
  auto made = ExportFolder::create(folder.path() / "empty/");
  REQUIRE(made);
  CHECK(ExportFolder::create(folder.path() / "empty").error().kind == ErrorKind::conflict);
  REQUIRE(made->append("a", "x"));
  REQUIRE(made->complete());
  CHECK(folder.read("empty/a") == "x");
}
