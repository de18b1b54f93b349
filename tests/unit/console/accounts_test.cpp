#include "adapters/console/accounts.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"
#include "tests/unit/console/sample_accounts.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

const std::vector<std::string> kRoles = {"auditor", "case-manager"};

struct Folder {
  fakes::TemporaryDirectory directory;
  std::filesystem::path file = directory.path() / "accounts.toml";

  std::string text() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& text) const {
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0600);
  }
  void change(const std::string& from, const std::string& to) const {
    std::string all = text();
    REQUIRE(all.find(from) != std::string::npos);
    write(all.replace(all.find(from), from.size(), to));
  }
  std::string fault() const {
    const auto read = read_accounts(file, kRoles);
    return read.faults.empty() ? "" : to_string(read.faults.front());
  }
};

}  // namespace

TEST_CASE("accounts that were written are read as they were, from a file that is its owner's alone") {
  const Folder folder;
  CHECK(read_accounts(folder.file, kRoles).accounts.empty());
  Account until = test::account("kim");
  until.until = "2027-01-31";
  REQUIRE(write_accounts(folder.file, {test::account("jo"), until}));
  struct stat status = {};
  REQUIRE(::stat(folder.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  const auto read = read_accounts(folder.file, kRoles);
  REQUIRE(folder.fault().empty());
  REQUIRE(read.accounts.size() == 2);
  CHECK(read.accounts[0].same_as(test::account("jo")));
  CHECK(read.accounts[1].until == "2027-01-31");
  CHECK_FALSE(std::filesystem::exists(folder.file.string() + ".new"));
}

TEST_CASE("accounts that others may read are refused") {
  const Folder folder;
  REQUIRE(write_accounts(folder.file, {test::account("jo")}));
  ::chmod(folder.file.c_str(), 0640);
  CHECK(folder.fault().find("others than its owner may read") != std::string::npos);
  CHECK(read_accounts(folder.file, kRoles).accounts.empty());
}

TEST_CASE("a fault of the accounts is told with file, line and column, and repeats no secret") {
  const Folder folder;
  REQUIRE(write_accounts(folder.file, {test::account("jo")}));
  const std::string good = folder.text();
  const std::string code_secret = to_base32(test::account("jo").code_secret);
  const std::string at = folder.file.string() + ":";
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"\"auditor\"", "\"auditer\"", "4:"},   {"name = \"jo\"", "name = \"<b>\"", "3:"},
      {"$argon2id$", "$argon2i$", "5:"},      {"m=262144", "m=8", "5:"},
      {code_secret, code_secret + "1", "6:"}, {code_secret, code_secret.substr(8), "6:"},
      {"code_secret", "code_sekret", ""},     {"roles = [", "until = \"soon\"\nroles = [", "4:"}};
  for (const auto& [from, to, line] : cases) {
    folder.write(good);
    folder.change(from, to);
    const std::string fault = folder.fault();
    INFO(fault);
    CHECK(fault.starts_with(at + line));
    CHECK(fault.find(code_secret.substr(0, 8)) == std::string::npos);
    CHECK(fault.find("argon2id$v") == std::string::npos);
  }
  folder.write(good + good);
  CHECK(folder.fault().find("another account has this name") != std::string::npos);
}

TEST_CASE("two who change the accounts at once do not overwrite each other") {
  const Folder folder;
  std::ofstream(folder.file.string() + ".new") << "somebody's draft";
  const auto written = write_accounts(folder.file, {test::account("jo")});
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::conflict);
  CHECK_FALSE(std::filesystem::exists(folder.file));
}

TEST_CASE("a password is known by its Argon2id hash alone") {
  CHECK(test::password_hash().starts_with("$argon2id$v=19$m=262144,t=3,p=1$"));
  CHECK(is_password_hash(test::password_hash()));
  CHECK(is_password(test::password_hash(), test::kPassword));
  CHECK_FALSE(is_password(test::password_hash(), "correct horse batterz"));
  CHECK(is_password_hash(nobodys_hash()));
  CHECK_FALSE(is_password(nobodys_hash(), ""));
}
