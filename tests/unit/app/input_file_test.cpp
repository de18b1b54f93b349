#include "broker/app/input_file.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;
using app::read_input;
using test::Told;

TEST_CASE("a file and standard input are read whole, byte for byte") {
  const fakes::TemporaryFolder folder;
  const std::string bytes("MSH|\r\0\x1c\xff\n", 9);
  folder.write("message.hl7", bytes);
  Told told(bytes);
  CHECK(read_input(folder.path() / "message.hl7", told.surroundings).value() == bytes);
  CHECK(read_input("-", told.surroundings).value() == bytes);
  const std::string long_text(200'000, 'x');
  Told many(long_text);
  CHECK(read_input("-", many.surroundings).value() == long_text);
}

TEST_CASE("input that is empty, missing or a folder is invalid, and named") {
  const fakes::TemporaryFolder folder;
  folder.write("empty", "");
  Told told;
  CHECK(read_input("-", told.surroundings).error().text == "standard input is empty");
  for (const auto& file : {folder.path() / "empty", folder.path() / "none", folder.path()}) {
    const auto input = read_input(file, told.surroundings);
    REQUIRE_FALSE(input);
    CHECK(input.error().kind == ErrorKind::invalid);
    CHECK(input.error().text.find(file.string()) == 0);
  }
}

TEST_CASE("a file over the limit is refused instead of filling the memory") {
  const fakes::TemporaryFolder folder;
  folder.write("huge", "x");
  std::filesystem::resize_file(folder.path() / "huge", limits::kFileBytesMax + 1);
  Told told;
  CHECK(read_input(folder.path() / "huge", told.surroundings).error().text.find("larger than 64 MiB") !=
        std::string::npos);
}
