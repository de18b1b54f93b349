#include "adapters/console/accounts.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>

#include "adapters/console/one_time_code.hpp"
#include "adapters/transports/http_token.hpp"
#include "broker/base/assert.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/base/random.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kDayText = 10;  // 2027-01-31
constexpr std::size_t kAccountBytesMax = 8U << 10U;
constexpr std::size_t kFileBytesMax = 2U << 20U;
const char* const kMakeAnew = "Give it a new password and device: carehub accounts reset";

std::string why() { return std::generic_category().message(errno); }

void check_roles(ConfigTable& table, const Account& account, const std::vector<std::string>& roles) {
  if (account.who.roles.empty() || account.who.roles.size() > kAccountRolesMax)
    table.fault("roles", "the account has no role, or more than 32", "Write roles = [\"...\"]");
  for (const std::string& role : account.who.roles) {
    if (std::ranges::find(roles, role) != roles.end()) continue;
    const std::string nearest = nearest_word(role, roles);
    table.fault("roles", "the policy has no role `" + role + "`",
                nearest.empty() ? "Name a role of the policy" : "Did you mean `" + nearest + "`?");
  }
}

Account read_account(ConfigTable& table, const std::vector<std::string>& roles) {
  Account account;
  account.who.id = table.text("id");
  account.who.name = table.text("name");
  account.who.roles = table.texts("roles");
  account.password_hash = table.text("password_hash");
  std::string secret = table.text("code_secret");
  account.until = table.optional_scalar("until").value_or("");
  for (const char* key : {"id", "name"}) {
    const std::string& word = key[0] == 'i' ? account.who.id : account.who.name;
    if (!word.empty() && !is_account_name(word))
      table.fault(key, "this is not at most 64 of a-z, 0-9, dot, underscore and hyphen", "Write another");
  }
  check_roles(table, account, roles);
  if (!account.password_hash.empty() && !is_password_hash(account.password_hash))
    table.fault("password_hash", "this is no hash of Argon2id as carehub makes it", kMakeAnew);
  const auto bytes = from_base32(secret);
  sodium_memzero(secret.data(), secret.size());
  if (!bytes || (table.has("code_secret") && bytes->size() != kCodeSecretBytes))
    table.fault("code_secret", "these are not 32 letters and digits of base32", kMakeAnew);
  else
    account.code_secret = *bytes;
  if (!account.until.empty() && (account.until.size() != kDayText || !parse_date(account.until)))
    table.fault("until", "this is not a day", "Write until = 2027-01-31, the last day on which it is good");
  return account;
}

std::string text_of(const Account& account) {
  std::string roles;
  for (const std::string& role : account.who.roles) roles += (roles.empty() ? "\"" : ", \"") + role + "\"";
  std::string secret = to_base32(account.code_secret);
  std::string text;
  text.reserve(kAccountBytesMax);  // never grows: what it grew out of would not be wiped
  text.append("[[account]]\nid = \"").append(account.who.id);
  text.append("\"\nname = \"").append(account.who.name);
  text.append("\"\nroles = [").append(roles);
  text.append("]\npassword_hash = \"").append(account.password_hash);
  text.append("\"\ncode_secret = \"").append(secret).append("\"\n");
  if (!account.until.empty()) text.append("until = ").append(account.until).append("\n");
  text.append("\n");
  wipe(secret);
  return text;
}

bool write_all(int out, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(out, text.data(), text.size());
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace

Account::~Account() {
  wipe(password_hash);
  if (!code_secret.empty()) sodium_memzero(code_secret.data(), code_secret.size());
}

bool Account::is_over(Timestamp now) const { return adapters::is_over(until, now); }

bool Account::same_as(const Account& other) const {
  return who == other.who && password_hash == other.password_hash && code_secret == other.code_secret;
}

bool is_account_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

AccountsRead read_accounts(const fs::path& file, const std::vector<std::string>& roles) {
  AccountsRead read;
  std::error_code error;
  if (!fs::exists(file, error) && !error) return read;
  if (is_open_to_others(file)) {
    read.faults.push_back({file.string(), 0, 0, "others than its owner may read or change the accounts",
                           "chmod 600 " + file.string() + ", and give each account a new password"});
    return read;
  }
  const auto text = read_secret_file(file, kFileBytesMax);
  if (!text) {
    read.faults.push_back({file.string(), 0, 0, text.error().text, "Let the hub's user read it, as a file"});
    return read;
  }
  auto document = ConfigDocument::parse(text->view(), file.string());
  if (document.faults().empty()) {
    auto root = document.root();
    std::set<std::string> names;
    std::set<std::string> ids;
    for (ConfigTable& table : root.tables("account")) {
      Account account = read_account(table, roles);
      if (!names.insert(account.who.name).second || !ids.insert(account.who.id).second)
        table.fault("name", "another account has this name or id", "Remove one of them");
      read.accounts.push_back(std::move(account));
    }
    if (read.accounts.size() > kAccountsMax)
      root.fault("account", "there are more than 1000 accounts", "Remove those that are not used");
    document.report_unused();
  }
  read.faults = std::move(document.faults());
  return read;
}

Result<void> write_accounts(const fs::path& file, const std::vector<Account>& accounts) {
  fs::path draft = file;
  draft += ".new";
  const int out = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (out < 0) {
    const bool there = errno == EEXIST;
    return fail(there ? ErrorKind::conflict : ErrorKind::unavailable,
                draft.string() + (there ? " is there: somebody else changes the accounts, or was stopped "
                                          "while he did; then remove it"
                                        : " cannot be written: " + why()));
  }
  struct stat before = {};
  // Whoever runs the command, the hub's user goes on being the one who may read it.
  bool good = ::stat(file.c_str(), &before) != 0 || ::fchown(out, before.st_uid, before.st_gid) == 0;
  for (const Account& account : accounts) {
    std::string text = text_of(account);
    good = good && write_all(out, text);
    wipe(text);
  }
  good = good && ::fsync(out) == 0;
  good = good && ::rename(draft.c_str(), file.c_str()) == 0;
  const std::string reason = good ? "" : why();
  ::close(out);
  if (!good) {
    ::unlink(draft.c_str());
    return fail(ErrorKind::unavailable, file.string() + " cannot be written: " + reason);
  }
  const fs::path parent = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

Result<std::string> hash_password(std::string_view password) {
  CAREHUB_ASSERT(sodium_init() >= 0, "libsodium starts");
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_MODERATE,
                            crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(ErrorKind::overloaded, "there are not the 256 MiB of memory that hashing a password takes");
  return std::string(hash.data());
}

bool is_password_hash(const std::string& text) {
  return text.starts_with("$argon2id$") && text.size() < crypto_pwhash_STRBYTES &&
         crypto_pwhash_str_needs_rehash(text.c_str(), crypto_pwhash_OPSLIMIT_MODERATE,
                                        crypto_pwhash_MEMLIMIT_MODERATE) == 0;
}

bool is_password(const std::string& hash, std::string_view password) {
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

const std::string& nobodys_hash() {
  static const std::string hash = [] {
    SystemRandom random;
    return hash_password(random_uuid(random)).value_or(std::string());
  }();
  return hash;
}

}  // namespace carehub::adapters
