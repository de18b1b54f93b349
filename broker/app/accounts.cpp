#include "broker/app/accounts.hpp"

#include <sodium.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <istream>
#include <ostream>
#include <set>
#include <sstream>

#include "adapters/console/accounts.hpp"
#include "adapters/console/one_time_code.hpp"
#include "broker/app/configuration.hpp"
#include "broker/app/json_line.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/base/random.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::app {
namespace {

using adapters::Account;
using Action = AccountsOptions::Action;

constexpr std::size_t kPasswordFileBytesMax = 4096;
constexpr std::size_t kDayText = 10;  // 2027-01-31

/// What is typed is not shown while this lives.
class NoEcho {
 public:
  NoEcho() : changed_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~NoEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_ = {};
  bool changed_;
};

SecretText typed(Surroundings& surroundings, const char* what) {
  surroundings.err << what << ": " << std::flush;
  std::vector<char> text;
  text.reserve(kPasswordFileBytesMax);  // never grows: what it grew out of would not be wiped
  const NoEcho quiet;
  for (char c = 0; text.size() < kPasswordFileBytesMax && surroundings.in.get(c) && c != '\n';)
    text.push_back(c);
  surroundings.err << '\n';
  return SecretText(std::move(text));
}

Result<SecretText> read_password(const AccountsOptions& options, Surroundings& surroundings) {
  SecretText password;
  if (!options.password_file.empty()) {
    if (is_open_to_others(options.password_file)) {
      return fail(ErrorKind::invalid, "others may read the password in " + options.password_file.string() +
                                          ": write another into a file with mode 600");
    }
    auto read = read_secret_file(options.password_file, kPasswordFileBytesMax);
    if (!read) return tl::unexpected(read.error());
    const auto line = read->view().substr(0, read->view().find_first_of("\r\n"));
    password = SecretText({line.begin(), line.end()});
  } else if (surroundings.somebody_to_ask) {
    password = typed(surroundings, "Password");
    if (typed(surroundings, "The same again").view() != password.view())
      return fail(ErrorKind::invalid, "the two passwords are not the same: nothing was changed");
  } else {
    return fail(ErrorKind::invalid, "there is no terminal to ask for the password: give --password-file");
  }
  const auto size = password.view().size();
  if (size < adapters::kPasswordBytesMin || size > adapters::kPasswordBytesMax)
    return fail(ErrorKind::invalid, "a password has 12 to 256 characters: three random words do well");
  return password;
}

/// A new password and a new secret for codes.
Result<void> give_secrets(Account& account, const AccountsOptions& options, Surroundings& surroundings) {
  const auto password = read_password(options, surroundings);
  if (!password) return tl::unexpected(password.error());
  auto hash = adapters::hash_password(password->view());
  if (!hash) return tl::unexpected(hash.error());
  account.password_hash = *std::move(hash);
  account.code_secret.resize(adapters::kCodeSecretBytes);
  SystemRandom().fill(account.code_secret);
  return {};
}

/// The one time that the secret is shown (the key URI format of authenticators).
void tell_device(const Account& account, bool json, Surroundings& surroundings) {
  std::string uri;
  uri.reserve(512);  // never grows: what it grew out of would not be wiped
  std::string secret = adapters::to_base32(account.code_secret);
  uri.append("otpauth://totp/Carehub:").append(account.who.name).append("?secret=").append(secret);
  uri.append("&issuer=Carehub&algorithm=SHA1&digits=6&period=30");
  if (json) {
    JsonLine line;
    surroundings.out << line.add("id", account.who.id).add("name", account.who.name).add("uri", uri).text()
                     << std::endl;
  } else {
    surroundings.out << account.who.name << " is account " << account.who.id
                     << ". For the person's authenticator, shown this once:\n"
                     << uri << std::endl;
  }
  wipe(secret);
  wipe(uri);
}

Result<std::vector<std::string>> roles_of(const AccountsOptions& options,
                                          const std::vector<std::string>& known) {
  std::vector<std::string> roles;
  std::istringstream words(options.roles);
  for (std::string role; std::getline(words, role, ',');) {
    if (std::ranges::find(known, role) == known.end()) {
      const std::string nearest = nearest_word(role, known);
      return fail(ErrorKind::invalid, "the policy has no role `" + role + "`" +
                                          (nearest.empty() ? "" : ". Did you mean `" + nearest + "`?"));
    }
    if (std::ranges::find(roles, role) == roles.end()) roles.push_back(role);
  }
  if (roles.empty() || roles.size() > adapters::kAccountRolesMax)
    return fail(ErrorKind::invalid, "an account has 1 to 32 roles: --roles ROLE,ROLE");
  return roles;
}

std::string new_id() {
  SystemRandom random;
  return "account-" + random_uuid(random).substr(0, 13);
}

ExitCode list(const std::vector<Account>& accounts, bool json, Surroundings& surroundings) {
  for (const Account& account : accounts) {
    std::string roles;
    for (const std::string& role : account.who.roles) roles += (roles.empty() ? "" : ",") + role;
    if (json) {
      JsonLine line;
      line.add("id", account.who.id).add("name", account.who.name).add("roles", roles);
      surroundings.out << line.add("until", account.until).text() << '\n';
    } else {
      surroundings.out << account.who.name << "  " << account.who.id << "  " << roles
                       << (account.until.empty() ? "" : "  until " + account.until) << '\n';
    }
  }
  surroundings.out << std::flush;
  return ExitCode::ok;
}

Result<Account> new_account(const AccountsOptions& options, const std::vector<std::string>& known) {
  Account account;
  account.who.id = new_id();
  account.who.name = options.name;
  account.until = options.until;
  if (!adapters::is_account_name(options.name))
    return fail(ErrorKind::invalid,
                "an account's name is at most 64 of a-z, 0-9, dot, underscore and hyphen");
  if (!options.until.empty() && (options.until.size() != kDayText || !parse_date(options.until)))
    return fail(ErrorKind::invalid, "--until takes a day, such as 2027-01-31");
  auto roles = roles_of(options, known);
  if (!roles) return tl::unexpected(roles.error());
  account.who.roles = *std::move(roles);
  return account;
}

/// Puts the change into `accounts`; the account whose secrets are new, if there is one.
Result<std::optional<Account>> change(std::vector<Account>& accounts, const AccountsOptions& options,
                                      const std::vector<std::string>& known, Surroundings& surroundings) {
  const auto found = std::ranges::find_if(
      accounts, [&options](const Account& each) { return each.who.name == options.name; });
  if (options.action == Action::add && found != accounts.end())
    return fail(ErrorKind::conflict,
                "there is an account of this name: carehub accounts reset gives it another password");
  if (options.action == Action::add && accounts.size() >= adapters::kAccountsMax)
    return fail(ErrorKind::invalid,
                "there are 1000 accounts, the most there may be: remove those that are not used");
  if (options.action != Action::add && found == accounts.end())
    return fail(ErrorKind::not_found, "there is no account of this name: carehub accounts list");
  if (options.action == Action::remove) {
    accounts.erase(found);
    return std::optional<Account>();
  }
  auto account = options.action == Action::add ? new_account(options, known) : Result<Account>(*found);
  if (!account) return tl::unexpected(account.error());
  if (auto given = give_secrets(*account, options, surroundings); !given)
    return tl::unexpected(given.error());
  if (options.action == Action::add) {
    accounts.push_back(*account);
  } else {
    *found = *account;
  }
  return std::optional<Account>(*std::move(account));
}

}  // namespace

ExitCode accounts(const AccountsOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  if (!configuration.faults.empty()) {
    print_faults(configuration.faults, surroundings.err);
    return ExitCode::wrong_input;
  }
  const auto known = roles_of(configuration.hub);
  auto read = adapters::read_accounts(configuration.accounts_file, known);
  if (!read.faults.empty()) {
    print_faults(read.faults, surroundings.err);
    return ExitCode::wrong_input;
  }
  if (options.action == Action::list) return list(read.accounts, options.json, surroundings);
  const auto changed = change(read.accounts, options, known, surroundings);
  if (!changed) return complain(surroundings, changed.error());
  if (auto written = adapters::write_accounts(configuration.accounts_file, read.accounts); !written)
    return complain(surroundings, written.error());
  if (*changed) tell_device(**changed, options.json, surroundings);
  return ExitCode::ok;
}

}  // namespace carehub::app
