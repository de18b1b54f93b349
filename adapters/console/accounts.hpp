#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/base/result.hpp"

/// Who may sign in to the console with a password and a code, and what he is then.
namespace carehub::adapters {

constexpr std::size_t kAccountsMax = 1'000;
constexpr std::size_t kAccountRolesMax = 32;
constexpr std::size_t kPasswordBytesMin = 12;
constexpr std::size_t kPasswordBytesMax = 256;

/// Who somebody is who has signed in, by whatever way: what every page goes by.
struct SignedIn {
  std::string id;    // for logs and records
  std::string name;  // for the person alone
  std::vector<std::string> roles;
  friend bool operator==(const SignedIn&, const SignedIn&) = default;
};

/// Its secrets are wiped when it goes.
struct Account {
  SignedIn who;
  std::string password_hash;  // Argon2id as libsodium writes it
  Bytes code_secret;          // of one-time codes
  std::string until = {};     // the last day, in UTC, on which it may sign in; empty: there is none

  Account() = default;
  Account(Account&&) noexcept = default;
  Account& operator=(Account&&) noexcept = default;
  Account(const Account&) = default;
  Account& operator=(const Account&) = default;
  ~Account();

  bool is_over(Timestamp now) const;
  bool same_as(const Account& other) const;
};

/// At most 64 of a-z, 0-9, '.', '_' and '-'.
bool is_account_name(std::string_view name);

/// Faults with file, line and column; none of them repeats a secret. `roles`: those of the policy. A file
/// that is not there holds nobody. One that others may read is a fault.
struct AccountsRead {
  std::vector<Account> accounts;
  std::vector<ConfigFault> faults;
};
AccountsRead read_accounts(const std::filesystem::path& file, const std::vector<std::string>& roles);

/// In the place of the file that was there, whole and synced, readable by its owner alone. Error `conflict`:
/// somebody else is writing it.
Result<void> write_accounts(const std::filesystem::path& file, const std::vector<Account>& accounts);

/// Argon2id (RFC 9106) of libsodium's MODERATE cost: 256 MiB and about a second. Error `overloaded`: there is
/// not so much memory.
Result<std::string> hash_password(std::string_view password);
bool is_password_hash(const std::string& text);
/// Takes as long for a wrong password as for a right one.
bool is_password(const std::string& hash, std::string_view password);
/// A hash to compare with where there is no account, so that this takes as long as where there is one. Of a
/// random password, made once.
const std::string& nobodys_hash();

}  // namespace carehub::adapters
