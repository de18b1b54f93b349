#include "broker/storage/vault_places.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/storage/file_vault.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
namespace fs = std::filesystem;

namespace {

struct Noted {
  fakes::TemporaryDirectory directory;
  fs::path top = fs::canonical(directory.path());
  fs::path vault = top / "data" / "vault";
  fs::path disk = top / "disk";
  fs::path copy = disk / "november" / "monday";

  Noted() {
    fs::create_directories(top / "data");
    fs::create_directories(disk / "november");
    REQUIRE(add_vault_places(vault, {copy}));
  }
  std::string line() const {
    std::string line;
    std::getline(std::ifstream(vault_places_file(vault)), line);
    return line;
  }
  void write(const std::string& line) const { std::ofstream(vault_places_file(vault)) << line << '\n'; }
  bool is_unknown() const {
    const auto places = vault_places(vault);
    return places.there.empty() && places.unknown.size() == 1 &&
           places.unknown.front().starts_with(copy.string());
  }
  bool is_gone() const {
    const auto places = vault_places(vault);
    return places.there.empty() && places.unknown.empty();
  }
};

}  // namespace

TEST_CASE("a vault of which no copy was made knows of none") {
  fakes::TemporaryDirectory directory;
  const auto places = vault_places(directory.path() / "vault");
  CHECK(places.there.empty());
  CHECK(places.unknown.empty());
}

TEST_CASE("a copy is known until it is removed, alone or with the directories that it was in") {
  Noted place;
  CHECK(place.is_gone());  // it was noted down before it was made
  fs::create_directories(place.copy);
  CHECK(vault_places(place.vault).there == std::vector<fs::path>{place.copy});
  CHECK(vault_places(place.vault).unknown.empty());
  SECTION("alone") { fs::remove_all(place.copy); }
  SECTION("with its directory") { fs::remove_all(place.disk / "november"); }
  CHECK(place.is_gone());
}

TEST_CASE("a copy on a disk that is not there, or is another, is not taken for gone") {
  Noted place;
  fs::create_directories(place.copy);
  fs::rename(place.disk, place.top / "elsewhere");
  SECTION("an empty directory in its place") { fs::create_directories(place.disk); }
  SECTION("another disk with the same names, and no copy") {
    fs::create_directories(place.disk / "november");
  }
  SECTION("another disk with the same names, and a copy") { fs::create_directories(place.copy); }
  CHECK(place.is_unknown());
  fs::remove_all(place.disk);
  fs::rename(place.top / "elsewhere", place.disk);
  CHECK(vault_places(place.vault).there == std::vector<fs::path>{place.copy});
}

TEST_CASE("a disk that was taken away together with its directory is not taken for gone") {
  Noted place;
  const auto line = place.line();
  // As if the last directory above the copy were another disk's.
  const auto last = line.rfind('/', line.find(' ')) + 1;
  REQUIRE(last != 0);
  place.write(line.substr(0, last) + "7" + line.substr(last));
  fs::remove_all(place.disk / "november");
  CHECK(place.is_unknown());
}

TEST_CASE("another disk of the same numbers, born at another time, is not taken for the one that was there") {
  Noted place;
  CHECK(place.is_gone());
  auto line = place.line();
  const auto end = line.find(' ');
  SECTION("another directory") { line.insert(end, "7"); }
  SECTION("the root of another disk") { line.insert(line.find('.', line.rfind('/', end)), "7"); }
  place.write(line);
  CHECK(place.is_unknown());
}

TEST_CASE("on a file system that has no number of its own, nor births, nothing is known to be gone") {
  Noted place;
  auto line = place.line();
  const auto at = line.rfind('/', line.find(' ')) + 1;
  SECTION("as this hub writes it") { line.replace(at, line.find(' ') - at, "0@0.2@0"); }
  SECTION("as earlier ones wrote it") { line.replace(at, line.find(' ') - at, "0.2"); }
  SECTION("as earlier ones wrote it where it is the device's") {
    line.replace(at, line.find(' ') - at, "2049.2");
  }
  place.write(line);
  CHECK(place.is_unknown());
}

TEST_CASE("a line of an earlier hub is read: what can be told apart without births is") {
  Noted place;
  auto line = place.line();
  for (auto at = line.find('@'); at != std::string::npos; at = line.find('@', at))
    line.erase(at, line.find_first_of("./ ", at) - at);
  place.write(line);
  const auto last = line.rfind('/', line.find(' ')) + 1;
  if (line.substr(last).starts_with("0.")) {  // this file system has no number of its own
    CHECK(place.is_unknown());
    return;
  }
  CHECK(place.is_gone());
  fs::create_directories(place.copy);
  CHECK(vault_places(place.vault).there == std::vector<fs::path>{place.copy});
}

TEST_CASE("what is known to be gone is left out of the file, what is not known stays") {
  Noted place;
  REQUIRE(add_vault_places(place.vault, {place.top / "second"}));
  const auto held = [&] {
    std::ifstream file(vault_places_file(place.vault));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(held().find("monday") == std::string::npos);
  CHECK(held().find("second") != std::string::npos);
  fs::create_directories(place.top / "second");
  REQUIRE(add_vault_places(place.vault, {place.top / "second"}));
  CHECK(vault_places(place.vault).there.size() == 1);
}

TEST_CASE("a copy of the vault is given what the vault knew of, and a line that is none is told of") {
  Noted place;
  fs::create_directories(place.copy);
  const auto other = place.top / "other-vault";
  REQUIRE(copy_vault_places(place.vault, other));
  CHECK(vault_places(other).there == std::vector<fs::path>{place.copy});
  std::ofstream(vault_places_file(other), std::ios::app) << "no place\n" << "1.2 /a/b/c\n";
  CHECK(vault_places(other).there.size() == 1);
  CHECK(vault_places(other).unknown.size() == 2);
}

TEST_CASE("a place that is no whole path, or more than one line, is not noted down") {
  Noted place;
  for (const char* wrong : {"beside", "/two\nlines"}) {
    const auto added = add_vault_places(place.vault, {wrong});
    REQUIRE_FALSE(added);
    CHECK(added.error().kind == ErrorKind::invalid);
    CHECK(added.error().text.find(": give ") != std::string::npos);
  }
}

TEST_CASE(
    "an erased key in a copy that was made elsewhere is found there, and no more when that is removed") {
  Noted place;
  SystemRandom random;
  const auto opened = open_vault(place.vault, {}, random);
  REQUIRE(opened);
  const KeyId gone = opened->vault->mint().value();
  fs::create_directories(place.copy);
  fs::copy_file(place.vault, place.copy / "vault");
  REQUIRE(opened->vault->destroy({gone}));
  CHECK(opened->vault->copies_with({gone}) == std::vector<std::string>{(place.copy / "vault").string()});
  fs::rename(place.disk, place.top / "unplugged");
  fs::create_directories(place.disk);
  const auto named = opened->vault->copies_with({gone});
  REQUIRE(named.size() == 1);
  CHECK(named.front().find("Mount it") != std::string::npos);
  fs::remove_all(place.disk);
  fs::rename(place.top / "unplugged", place.disk);
  fs::remove_all(place.copy);
  CHECK(opened->vault->copies_with({gone}).empty());
}
