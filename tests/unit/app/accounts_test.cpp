#include "broker/app/accounts.hpp"

#include <sys/stat.h>

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::AccountsOptions;
using app::ExitCode;
using test::SmallCounty;
using test::Told;
using Action = AccountsOptions::Action;

namespace {

struct Clerk {
  SmallCounty county;
  std::filesystem::path password_file = county.folder.path() / "password";
  std::filesystem::path accounts_file = county.folder.path() / "accounts.toml";

  Clerk() {
    county.folder.write("password", "correct horse battery\n");
    ::chmod(password_file.c_str(), 0600);
  }
  ExitCode operator()(Told& told, Action action, const std::string& name = "",
                      const std::string& roles = "") {
    AccountsOptions options;
    options.config = county.config();
    options.action = action;
    options.name = name;
    options.roles = roles;
    if (action == Action::add || action == Action::reset) options.password_file = password_file;
    return app::accounts(options, told.surroundings);
  }
};

}  // namespace

TEST_CASE("an account is added, listed, reset and removed, and its secret is shown when it is made") {
  Clerk clerk;
  Told added;
  REQUIRE(clerk(added, Action::add, "jo", "desk") == ExitCode::ok);
  CHECK(added.out.str().find("otpauth://totp/Carehub:jo?secret=") != std::string::npos);
  struct stat status = {};
  REQUIRE(::stat(clerk.accounts_file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  const std::string first = clerk.county.folder.read("accounts.toml");
  CHECK(first.find("correct horse") == std::string::npos);

  Told listed;
  REQUIRE(clerk(listed, Action::list) == ExitCode::ok);
  CHECK(listed.out.str().starts_with("jo  account-"));
  CHECK(listed.out.str().find("  desk\n") != std::string::npos);
  CHECK(listed.out.str().find("secret") == std::string::npos);
  CHECK(listed.out.str().find("argon2") == std::string::npos);

  Told reset;
  REQUIRE(clerk(reset, Action::reset, "jo") == ExitCode::ok);
  CHECK(reset.out.str().find("otpauth://") != std::string::npos);
  const std::string second = clerk.county.folder.read("accounts.toml");
  CHECK(second != first);
  CHECK(second.substr(0, second.find("password_hash")) == first.substr(0, first.find("password_hash")));

  Told removed;
  REQUIRE(clerk(removed, Action::remove, "jo") == ExitCode::ok);
  Told none;
  REQUIRE(clerk(none, Action::list) == ExitCode::ok);
  CHECK(none.out.str().empty());
}

TEST_CASE("what cannot be an account is refused, and changes nothing") {
  Clerk clerk;
  Told told;
  CHECK(clerk(told, Action::add, "jo", "desc") == ExitCode::wrong_input);
  CHECK(told.err.str().find("Did you mean `desk`?") != std::string::npos);
  CHECK(clerk(told, Action::add, "Jo Bloggs", "desk") == ExitCode::wrong_input);
  CHECK(clerk(told, Action::remove, "jo") == ExitCode::not_found);
  CHECK(clerk(told, Action::reset, "jo") == ExitCode::not_found);
  clerk.county.folder.write("password", "too short\n");
  CHECK(clerk(told, Action::add, "jo", "desk") == ExitCode::wrong_input);
  clerk.county.folder.write("password", "correct horse battery\n");
  ::chmod(clerk.password_file.c_str(), 0644);
  CHECK(clerk(told, Action::add, "jo", "desk") == ExitCode::wrong_input);
  CHECK(told.err.str().find("others may read the password") != std::string::npos);
  clerk.password_file.clear();
  CHECK(clerk(told, Action::add, "jo", "desk") == ExitCode::wrong_input);
  CHECK(told.err.str().find("give --password-file") != std::string::npos);
  CHECK(told.out.str().empty());
  CHECK_FALSE(std::filesystem::exists(clerk.accounts_file));
}
