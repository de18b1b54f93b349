#include "broker/storage/master_key.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
namespace fs = std::filesystem;

namespace {

const std::string kHex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

struct Place {
  fakes::TemporaryDirectory directory;
  fs::path put(const std::string& name, const std::string& text, bool closed = true) {
    const auto file = directory.path() / name;
    std::ofstream(file) << text;
    fs::permissions(file, closed ? fs::perms::owner_read | fs::perms::owner_write : fs::perms(0644));
    return file;
  }
};

MasterKeySource command(const std::vector<std::string>& words) {
  return MasterKeySource::from_command(words);
}

}  // namespace

TEST_CASE("a master key is read from a file, a credential or what a command prints") {
  Place place;
  const auto file = place.put("hub-master", kHex + "\n");
  const auto from_file = read_master_key(MasterKeySource(file));
  REQUIRE(from_file);
  CHECK(to_hex(from_file->bytes()) == kHex);
  REQUIRE(::setenv("CREDENTIALS_DIRECTORY", place.directory.path().c_str(), 1) == 0);
  CHECK(read_master_key(MasterKeySource::from_credential("hub-master"))->bytes() == from_file->bytes());
  const auto absent = read_master_key(MasterKeySource::from_credential("another"));
  CHECK(absent.error().kind == ErrorKind::not_found);
  CHECK(absent.error().text.find("LoadCredential") != std::string::npos);
  REQUIRE(::unsetenv("CREDENTIALS_DIRECTORY") == 0);
  CHECK(read_master_key(MasterKeySource::from_credential("hub-master")).error().text.find("systemd") !=
        std::string::npos);
  CHECK(read_master_key(command({"/bin/cat", file}))->bytes() == from_file->bytes());
}

TEST_CASE("a command that fails, prints no key or too much is refused, and no message holds what it said") {
  Place place;
  const std::string secret = "ab" + std::string(70, '4');
  const auto refused = [&](const std::vector<std::string>& words, ErrorKind kind) {
    const auto key = read_master_key(command(words));
    REQUIRE(!key);
    CHECK(key.error().kind == kind);
    CHECK(key.error().text.find(words.front()) != std::string::npos);
    CHECK(key.error().text.find(secret) == std::string::npos);
    CHECK(key.error().text.find("4444") == std::string::npos);
  };
  refused({"/bin/sh", "-c", "exit 3"}, ErrorKind::unavailable);
  refused({"/bin/sh", "-c", "echo " + secret + secret}, ErrorKind::unavailable);
  refused({"/bin/sh", "-c", "echo 4444"}, ErrorKind::invalid);
  refused({"/bin/true"}, ErrorKind::invalid);
  refused({"/nowhere/at/all"}, ErrorKind::unavailable);
  refused({"/bin/yes"}, ErrorKind::unavailable);
}

TEST_CASE("a master key that others may read is refused, and one that is drawn is written closed") {
  Place place;
  CHECK(read_master_key(MasterKeySource(place.put("open", kHex, false))).error().text.find("chmod 600") !=
        std::string::npos);
  fakes::SeededRandom random(3);
  const auto key = draw_key(random);
  const auto file = place.directory.path() / "drawn";
  REQUIRE(write_master_key(file, key));
  CHECK(read_master_key(MasterKeySource(file))->bytes() == key.bytes());
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a source is named without its key and without a command's arguments") {
  CHECK(command({"/usr/bin/keeper", "--token", "hidden"}).name() == "the command /usr/bin/keeper");
  CHECK(MasterKeySource::from_credential("x").name() == "credential x");
  CHECK(MasterKeySource().beside("/data/vault").file == "/data/master.key");
  CHECK(MasterKeySource("/else/where").beside("/data/vault").file == "/else/where");
}
